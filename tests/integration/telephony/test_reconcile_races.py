"""ReconcileSubaccounts while somebody is at the subaccount: it is looked at all the same."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from dev.simulators.faults import Latency
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.state import ReceivedRequest
from libs.database import Database
from services.telephony.config import TelephonySettings
from services.telephony.domain.values import DueSearch, Work
from services.telephony.operations.reconciling import ReconcileOperations
from tests.integration.telephony.conftest import Parts, telephony_settings
from tests.integration.telephony.steps import ONE, SUSPENDED, TelephonySteps
from tests.integration.telephony.traffic import call, open_calls
from tests.support.databases import ServiceDatabase
from tests.support.level_steps import ORGANIZATION
from tests.support.waiting import eventually
from tollgate.telephony.v1 import telephony_service_pb2

# More than one claim ends.
CALL_COUNT = 45
ROUNDS, CALLERS = 5, 4
DRIVING = {"fetch_account", "update_account"}


@pytest.fixture
def settings(database: ServiceDatabase, twilio: TwilioSimulator) -> TelephonySettings:
    """Settings of a service that ends calls, and looks again soon."""
    return telephony_settings(
        database, twilio, end_calls=True, twilio_recheck_seconds=0.2, twilio_timeout_seconds=5.0
    )


async def reconcile(steps: TelephonySteps) -> tuple[datetime, datetime]:
    """Ask for a look; return from when to when that was."""
    clock = steps.twilio.clock
    request = telephony_service_pb2.ReconcileSubaccountsRequest(organization_id=ORGANIZATION)
    asked_at = clock.now()
    [answered] = (await steps.telephony.ReconcileSubaccounts(request)).subaccounts
    assert not answered.last_error
    return asked_at, clock.now()


async def wait_until_asked(twilio: TwilioSimulator, operation: str, count: int = 1) -> None:
    async def look() -> int:
        return sum(each.operation == operation for each in twilio.requests)

    await eventually(look, lambda seen: seen >= count, 30.0)


def assert_it_was_looked_at(
    requests: Sequence[ReceivedRequest], asked_at: datetime, answered_at: datetime
) -> None:
    """Twilio was asked how the account stands, or to change it, after that was asked for."""
    assert [
        each
        for each in requests
        if each.operation in DRIVING
        and asked_at <= each.received_at
        and each.answered_at is not None
        and each.answered_at <= answered_at
    ]


def assert_never_two_at_once(requests: Sequence[ReceivedRequest]) -> None:
    for before, after in pairwise(requests):
        assert before.answered_at is not None
        assert before.answered_at <= after.received_at


async def test_while_what_goes_on_is_ended(steps: TelephonySteps, twilio: TwilioSimulator) -> None:
    await steps.let_send(ONE)
    call(twilio, CALL_COUNT)
    twilio.fail(Latency(20), operation="update_call")
    await steps.report_wallet(frozen=True)
    await wait_until_asked(twilio, "update_call")
    asked = await reconcile(steps)
    assert_it_was_looked_at(twilio.requests, *asked)

    async def look() -> int:
        return open_calls(twilio)

    await eventually(look, lambda count: count == 0, 30.0)
    assert sum(each.operation == "update_call" for each in twilio.requests) == CALL_COUNT
    await steps.reach(SUSPENDED)
    assert_never_two_at_once(twilio.requests)


async def test_while_it_is_suspended_and_what_goes_on_is_ended_then(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    await steps.let_send(ONE)
    call(twilio, 1)
    twilio.fail(Latency(100), operation="update_account")
    twilio.fail(Latency(700), operation="update_call")
    await steps.report_wallet(frozen=True)
    await wait_until_asked(twilio, "update_account")
    asked = await reconcile(steps)
    assert_it_was_looked_at(twilio.requests, *asked)
    assert open_calls(twilio) == 0
    assert_never_two_at_once(twilio.requests)


async def test_by_many_while_it_is_wanted_otherwise_again_and_again(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    await steps.let_send(ONE)
    twilio.fail(Latency(10))
    for _ in range(ROUNDS):
        call(twilio, CALL_COUNT)
        asked = asyncio.gather(*(reconcile(steps) for _ in range(CALLERS)))
        await steps.report_wallet(frozen=True)
        for each in [*await asked, await reconcile(steps)]:
            assert_it_was_looked_at(twilio.requests, *each)
        await steps.reach(SUSPENDED)
        await steps.report_wallet()
        await eventually(steps.look, lambda seen: seen.at_twilio == "active")
    assert_never_two_at_once(twilio.requests)


async def test_it_is_due_though_what_goes_on_is_ended_for_long(
    parts: Parts, settings: TelephonySettings
) -> None:
    await parts.subaccounts.register(ORGANIZATION, "", ONE)
    await parts.organizations.block(ORGANIZATION, "", "")
    await parts.reconcile()
    assert (await parts.claiming.claim_due(DueSearch(Work.AFTERMATH, [], limit=1))).claims
    database = await Database.connect(settings.database_url, 1, "telephony")
    operations = ReconcileOperations(database, settings.suspension_policy, lambda: None, 0.5)
    [standing] = await operations.reconcile(ORGANIZATION)
    await database.close()
    next_attempt_time = standing.subaccount.next_attempt_time
    assert next_attempt_time is not None
    assert next_attempt_time <= datetime.now(UTC)
