"""After a 429 all calls of the process wait for a moment, and suspensions go on first."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus

import grpc
import pytest

from dev.simulators.faults import Load, TooManyRequests
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from dev.simulators.twilio.calls import CallStatus
from dev.simulators.twilio.state import ReceivedRequest
from services.telephony.config import TelephonySettings
from tests.integration.telephony.conftest import telephony_settings
from tests.integration.telephony.provisioning.steps import LIST, wish
from tests.integration.telephony.steps import ONE, SUSPENDED, many_sids
from tests.integration.telephony.trouble.steps import TroubleSteps, changes_logged
from tests.support.databases import ServiceDatabase
from tests.support.errors import refusal
from tests.support.waiting import eventually

OTHER, THIRD = "org-2", "org-3"
COUNT = 20
SIDS = many_sids(2 * COUNT)
TO_SUSPEND, TO_ACTIVATE = SIDS[:COUNT], SIDS[COUNT:]
PAUSE_SECONDS = 1
PATIENCE_SECONDS = 60.0
SOON_SECONDS = 12.0


@pytest.fixture
def settings(database: ServiceDatabase, twilio: TwilioSimulator) -> TelephonySettings:
    """Settings of a service that may call Twilio more often than it bears."""
    return telephony_settings(
        database, twilio, end_calls=True, twilio_concurrency=6, twilio_timeout_seconds=30.0
    )


@pytest.fixture
def steps(channel: grpc.aio.Channel, twilio: TwilioSimulator) -> TroubleSteps:
    """What can be done with the service."""
    return TroubleSteps(channel, twilio)


async def register_all(steps: TroubleSteps) -> None:
    for account_sid in TO_SUSPEND:
        await steps.register(account_sid, OTHER)
    for account_sid in TO_ACTIVATE:
        steps.twilio.set_status(account_sid, AccountStatus.SUSPENDED)
        await steps.register(account_sid, THIRD)
    await steps.let_send(ONE)
    await eventually(
        lambda: steps.list_all(observed="OBSERVED_STATE_UNKNOWN"),
        lambda unknown: not unknown,
        PATIENCE_SECONDS,
    )


async def suspend(steps: TroubleSteps) -> None:
    await steps.report_wallet(frozen=True)


async def look(steps: TroubleSteps) -> None:
    await steps.register(many_sids(100)[-1])


async def make(steps: TroubleSteps) -> None:
    refused = await refusal(steps.telephony.ProvisionSubaccount(wish()))
    assert refused.reason == "PROVIDER_UNAVAILABLE"


def refused_of(requests: Sequence[ReceivedRequest]) -> list[ReceivedRequest]:
    return [each for each in requests if each.http_status == HTTPStatus.TOO_MANY_REQUESTS]


def answer_time(request: ReceivedRequest) -> datetime:
    assert request.answered_at is not None
    return request.answered_at


@pytest.mark.parametrize(
    ("call", "operation"),
    [(suspend, "update_account"), (look, "fetch_account"), (suspend, "list_call"), (make, LIST)],
)
async def test_whoever_hears_429_all_leave_twilio_in_peace_and_then_suspensions_come_first(
    steps: TroubleSteps,
    twilio: TwilioSimulator,
    call: Callable[[TroubleSteps], Awaitable[None]],
    operation: str,
) -> None:
    await register_all(steps)
    twilio.fail(TooManyRequests(PAUSE_SECONDS), operation=operation, times=1)
    await call(steps)

    async def refused() -> list[ReceivedRequest]:
        return refused_of(twilio.requests)

    [busy] = await eventually(refused, bool)
    await steps.report_wallet(frozen=True, organization_id=OTHER)
    await steps.make_good(THIRD)
    await steps.reach_at_twilio(AccountStatus.SUSPENDED, TO_SUSPEND)
    later = [each for each in twilio.requests if each.received_at > answer_time(busy)]
    pause = later[0].received_at - answer_time(busy)
    assert timedelta(seconds=PAUSE_SECONDS - 0.1) < pause
    # Beside it may go what has a slot of its own.
    assert "suspended" in [each.status_asked for each in later[:2]]
    await steps.reach_at_twilio(AccountStatus.ACTIVE, TO_ACTIVATE)


async def test_however_long_twilio_asks_to_wait_suspensions_of_others_go_on_soon(
    steps: TroubleSteps, twilio: TwilioSimulator
) -> None:
    await register_all(steps)
    twilio.fail(TooManyRequests(retry_after_seconds=600), ONE, times=1)
    await steps.report_wallet(frozen=True)
    await eventually(lambda: steps.get(ONE), lambda seen: "429" in seen.last_error)
    await steps.report_wallet(frozen=True, organization_id=OTHER)
    await steps.reach(SUSPENDED, TO_SUSPEND[0])


async def test_accounts_that_are_refused_again_and_again_keep_no_other_waiting(
    steps: TroubleSteps, twilio: TwilioSimulator
) -> None:
    await register_all(steps)
    for account_sid in TO_SUSPEND[:6]:
        twilio.fail(TooManyRequests(PAUSE_SECONDS), account_sid)
    await steps.report_wallet(frozen=True, organization_id=OTHER)
    twilio.receive_call(ONE, "+15550100", "+15550101")
    await steps.report_wallet(frozen=True)

    async def how_it_goes() -> tuple[int, CallStatus, AccountStatus]:
        (call,) = twilio.calls(ONE)
        return len(refused_of(twilio.requests)), call.status, twilio.status(ONE)

    await eventually(
        how_it_goes, lambda seen: seen[0] >= 12 and seen[1] == CallStatus.COMPLETED, SOON_SECONDS
    )
    await steps.make_good()
    await eventually(how_it_goes, lambda seen: seen[2] == AccountStatus.ACTIVE, SOON_SECONDS)


async def test_a_twilio_that_bears_less_than_the_setting_says_gets_it_all_done(
    steps: TroubleSteps, twilio: TwilioSimulator
) -> None:
    await register_all(steps)
    twilio.set_load(Load(milliseconds=20, at_once_max=2, refuses_more=True))
    with changes_logged() as changes:
        await steps.make_good(THIRD)
        await steps.report_wallet(frozen=True, organization_id=OTHER)
        await steps.reach_all("SUSPENDED", COUNT, OTHER)
        await steps.reach_all("ACTIVE", COUNT, THIRD)
    assert changes == []
    assert refused_of(twilio.requests)
