"""Claims, one at a time and by hand: who may drive what, and when."""

import asyncio
from datetime import UTC, datetime, timedelta

from dev.twilio_simulator import TwilioSimulator
from dev.twilio_simulator.accounts import AccountStatus
from dev.twilio_simulator.faults import Hang, Latency
from services.telephony.domain.values import Blocker, Due, ObservedState
from tests.integration.telephony.conftest import Parts
from tests.integration.telephony.levels import make_good, subscription_level, wallet_level
from tests.integration.telephony.steps import ONE, THREE, TWO
from tests.support.level_steps import ORGANIZATION
from tests.support.waiting import eventually

DUE = Due(ONE, ORGANIZATION, urgent=False)


async def due_sids(parts: Parts, busy: tuple[str, ...] = (), limit: int = 10) -> list[str]:
    return [due.account_sid for due in await parts.reconciliation.list_due(busy, limit)]


async def observed(parts: Parts) -> ObservedState:
    return (await parts.operations.get_subaccount(ONE)).subaccount.observed


async def test_suspensions_come_first_and_what_is_under_way_not_at_all(parts: Parts) -> None:
    for account_sid in (ONE, TWO):
        await make_good(parts.operations, ORGANIZATION)
        await parts.operations.register_subaccount(ORGANIZATION, "", account_sid)
    await parts.operations.register_subaccount("org-2", "", THREE)
    await parts.operations.block("org-2", "", "")
    assert await due_sids(parts) == [THREE, ONE, TWO]
    assert await due_sids(parts, limit=1) == [THREE]
    assert await due_sids(parts, busy=(THREE, ONE)) == [TWO]


async def test_an_activation_is_not_sent_once_its_good_news_has_expired(
    parts: Parts, twilio: TwilioSimulator
) -> None:
    """It became due in good time, and nobody has looked since."""
    twilio.set_status(ONE, AccountStatus.SUSPENDED)
    soon = datetime.now(UTC) + timedelta(milliseconds=200)
    await make_good(parts.operations, ORGANIZATION)
    expiring = subscription_level(revision=2, good_until=soon)
    await parts.operations.observe_subscription(ORGANIZATION, expiring)
    await parts.operations.register_subaccount(ORGANIZATION, "", ONE)
    await eventually(
        lambda: parts.operations.find_sending_blockers(ORGANIZATION, ""),
        lambda found: Blocker.SUBSCRIPTION_INACTIVE in found,
    )

    await parts.reconciliation.reconcile(DUE)

    assert [request.status_asked for request in twilio.requests] == ["suspended"]
    assert await observed(parts) is ObservedState.SUSPENDED


async def test_two_claims_at_the_same_moment_make_one_call(
    parts: Parts, twilio: TwilioSimulator
) -> None:
    await parts.operations.register_subaccount(ORGANIZATION, "", ONE)
    twilio.fail(Latency(50))
    await asyncio.gather(*(parts.reconciliation.reconcile(DUE) for _ in range(4)))
    assert len(twilio.requests) == 1


async def test_what_is_under_way_is_not_due_even_if_it_is_wanted_otherwise(
    parts: Parts, twilio: TwilioSimulator
) -> None:
    await make_good(parts.operations, ORGANIZATION)
    await parts.operations.register_subaccount(ORGANIZATION, "", ONE)
    twilio.fail(Hang())
    driving = asyncio.create_task(parts.reconciliation.reconcile(DUE))
    await twilio.wait_for_requests(1)
    bad_news = wallet_level(revision=2, frozen=True)
    await parts.operations.observe_wallet(ORGANIZATION, bad_news)
    assert await due_sids(parts) == []
    twilio.heal()
    await driving
    assert await due_sids(parts) == [ONE]
