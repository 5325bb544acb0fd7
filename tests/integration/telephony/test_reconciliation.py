"""Claims, one at a time and by hand: who may drive what, and when."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from structlog.testing import capture_logs

from dev.simulators.faults import Hang, Latency, Refusal
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from libs.database import Database
from services.telephony.config import TelephonySettings
from services.telephony.domain.values import Blocker, ObservedState, WantedState
from tests.integration.telephony.conftest import Parts, make_driving
from tests.integration.telephony.levels import make_good, subscription_level, wallet_level
from tests.integration.telephony.steps import ONE, THREE, TWO
from tests.support.level_steps import ORGANIZATION
from tests.support.waiting import eventually


async def due_sids(parts: Parts, *, urgent: bool, left_aside: tuple[str, ...] = ()) -> list[str]:
    """Claim what is due, and say what that was."""
    claims = await parts.claim(urgent=urgent, left_aside=left_aside)
    return [claim.subaccount.account_sid for claim in claims]


async def observed(parts: Parts) -> ObservedState:
    return (await parts.subaccounts.get(ONE)).subaccount.observed


async def test_suspensions_are_claimed_apart_and_what_is_under_way_not_at_all(parts: Parts) -> None:
    for account_sid in (ONE, TWO):
        await make_good(parts.organizations, ORGANIZATION)
        await parts.subaccounts.register(ORGANIZATION, "", account_sid)
    await parts.subaccounts.register("org-2", "", THREE)
    await parts.organizations.block("org-2", "", "")
    assert await due_sids(parts, urgent=False, left_aside=(ORGANIZATION,)) == []
    assert await due_sids(parts, urgent=True) == [THREE]
    assert await due_sids(parts, urgent=False) == [ONE, TWO]
    assert await due_sids(parts, urgent=False) == []


async def test_an_activation_is_not_sent_once_its_good_news_has_expired(
    parts: Parts, twilio: TwilioSimulator
) -> None:
    """It became due in good time, and nobody has looked since."""
    twilio.set_status(ONE, AccountStatus.SUSPENDED)
    soon = datetime.now(UTC) + timedelta(milliseconds=200)
    await make_good(parts.organizations, ORGANIZATION)
    expiring = subscription_level(revision=2, good_until=soon)
    await parts.organizations.observe_subscription(ORGANIZATION, expiring)
    await parts.subaccounts.register(ORGANIZATION, "", ONE)
    await eventually(
        lambda: parts.sending.find_blockers(ORGANIZATION, ""),
        lambda found: Blocker.SUBSCRIPTION_INACTIVE in found,
    )

    await parts.reconcile()

    assert [request.status_asked for request in twilio.requests] == ["suspended"]
    assert await observed(parts) is ObservedState.SUSPENDED


async def test_two_claims_at_the_same_moment_make_one_call(
    parts: Parts, twilio: TwilioSimulator
) -> None:
    await parts.subaccounts.register(ORGANIZATION, "", ONE)
    twilio.fail(Latency(50))
    await asyncio.gather(*(parts.reconcile() for _ in range(4)))
    assert len(twilio.requests) == 1


async def test_what_is_under_way_is_not_due_even_if_it_is_wanted_otherwise(
    parts: Parts, twilio: TwilioSimulator
) -> None:
    await make_good(parts.organizations, ORGANIZATION)
    await parts.subaccounts.register(ORGANIZATION, "", ONE)
    twilio.fail(Hang())
    driving = asyncio.create_task(parts.reconcile())
    await twilio.wait_for_requests(1)
    bad_news = wallet_level(revision=2, frozen=True)
    await parts.organizations.observe_wallet(ORGANIZATION, bad_news)
    assert await due_sids(parts, urgent=True) == []
    twilio.heal()
    await driving
    assert await due_sids(parts, urgent=True) == [ONE]


async def test_an_activation_is_not_sent_if_bad_news_came_while_it_looked(
    parts: Parts, twilio: TwilioSimulator
) -> None:
    await make_good(parts.organizations, ORGANIZATION)
    await parts.subaccounts.register(ORGANIZATION, "", ONE)
    twilio.set_status(ONE, AccountStatus.SUSPENDED)
    twilio.fail(Latency(300), ONE, times=1)
    driving = asyncio.create_task(parts.reconcile())
    await twilio.wait_for_requests(1)

    await parts.organizations.observe_wallet(ORGANIZATION, wallet_level(revision=2, frozen=True))
    await driving

    assert {request.status_asked for request in twilio.requests} == {None}
    assert await observed(parts) is ObservedState.SUSPENDED


class Defective:
    """A vendor's room with a defect in it."""

    async def fetch_status(self, account_sid: str) -> ObservedState:
        """Fail as no caller expects."""
        raise LookupError(account_sid)

    async def set_status(self, account_sid: str, wanted: WantedState) -> ObservedState:
        """Fail as no caller expects."""
        raise LookupError(account_sid, wanted)


async def test_a_defect_with_one_subaccount_is_that_ones_failure(
    parts: Parts, settings: TelephonySettings
) -> None:
    await make_good(parts.organizations, ORGANIZATION)
    await parts.subaccounts.register(ORGANIZATION, "", ONE)
    database = await Database.connect(settings.database_url, 2, "telephony")
    defective = replace(parts, driving=make_driving(database, Defective(), settings))
    with capture_logs():  # since tracebacks take seconds to print
        await defective.reconcile()
    found = (await parts.subaccounts.get(ONE)).subaccount
    assert found.last_error == "internal error: LookupError (see the service's log)"
    assert found.observed is ObservedState.UNKNOWN
    await database.close()


async def test_an_error_of_what_is_no_longer_wanted_is_forgotten(
    parts: Parts, twilio: TwilioSimulator
) -> None:
    await make_good(parts.organizations, ORGANIZATION)
    await parts.subaccounts.register(ORGANIZATION, "", ONE)
    await parts.reconcile()
    await parts.organizations.observe_wallet(ORGANIZATION, wallet_level(revision=2, frozen=True))
    twilio.fail(Refusal("21475", 400), ONE, times=1)
    await parts.reconcile()
    refused = (await parts.subaccounts.get(ONE)).subaccount
    assert refused.last_error != ""

    await parts.organizations.observe_wallet(ORGANIZATION, wallet_level(revision=3, frozen=False))

    forgotten = (await parts.subaccounts.get(ONE)).subaccount
    assert (forgotten.last_error, forgotten.attempt_count) == ("", 0)
