"""From what is told of subscriptions to how organizations stand."""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from libs.levels import SubscriptionState
from services.billing_gateway.domain.claims import ClaimKeys
from services.billing_gateway.domain.observations import (
    Claim,
    Observation,
    SubscriptionClaimed,
)
from services.billing_gateway.domain.values import Provider
from tests.integration.billing_gateway.requests import DONE, PARKED, RECEIVED, events_of
from tests.integration.billing_gateway.subscriptions_told import (
    CUSTOMER,
    OURS,
    PERIOD_END,
    at,
    event_of,
    failed,
    history_of,
    is_,
    paid,
    query,
    standing_of,
    state_reaches,
    subscription_of,
    tell,
)
from tests.support.fake_provider import FakeProvider
from tests.support.locks import lock_waits
from tests.support.stack import Stack, now
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import billing_gateway_service_pb2, subscription_pb2

PENDING, TRIALING, ACTIVE, PAST_DUE, SUSPENDED, CANCELED = SubscriptionState
SHUFFLES = 12
CLAIM_KEY = "k" * 32


@pytest.fixture
def paypal() -> FakeProvider:
    """Without credentials: what is told decides."""
    return FakeProvider(Provider.PAYPAL, can_be_asked=False)


def story_of(organization_id: str, subscription_id: str) -> list[list[Observation]]:
    """Subscribed, paid, failed to pay, paid again, held, active again, failed again."""
    told: dict[str, Any] = {
        "claim": Claim(organization_id),
        "subscription_id": subscription_id,
    }
    return [
        [is_(PENDING, at(0), period_end=None, **told)],
        [is_(ACTIVE, at(1), **told), paid(at(1), **told)],
        [is_(ACTIVE, at(1), **told), failed(at(10), subscription_id)],
        [paid(at(20), **told)],
        [is_(SUSPENDED, at(30), **told), failed(at(29), subscription_id)],
        [is_(ACTIVE, at(40), plan_id="pro", **told)],
        [failed(at(50), subscription_id)],
        [failed(at(55), subscription_id)],
    ]


@pytest.mark.long
async def test_the_events_of_a_subscription_end_the_same_in_any_order(paypal_stack: Stack) -> None:
    chance = random.Random(4)
    ends = []
    for number in range(SHUFFLES):
        organization_id, subscription_id = f"org-{number}", f"I-{number}"
        story = list(enumerate(story_of(organization_id, subscription_id)))
        told = [*story, *chance.sample(story, 3)]
        if number > 0:
            chance.shuffle(told)
        await asyncio.gather(
            *(
                paypal_stack.deliver_fake(Provider.PAYPAL, f"WH-{number}-{event}", *observations)
                for event, observations in told
            )
        )
        await eventually(lambda: events_of(paypal_stack, state=RECEIVED), lambda it: not it)
        ends.append(await end_of(paypal_stack, organization_id))
    assert ends[0].state == subscription_pb2.SUBSCRIPTION_STATE_PAST_DUE
    assert ends[0].plan_id == "pro"
    assert all(end == ends[0] for end in ends)
    assert await events_of(paypal_stack, state=PARKED) == []


async def end_of(stack: Stack, organization_id: str) -> subscription_pb2.Subscription:
    """Return how the subscription stands, but for whose it is and when that was heard."""
    subscription = (await standing_of(stack, organization_id)).deciding_subscription
    for field in ("organization_id", "provider_subscription_id", "update_time"):
        subscription.ClearField(field)
    return subscription


async def test_a_replay_of_everything_adds_nothing(paypal_stack: Stack) -> None:
    for number, observations in enumerate(story_of("org-1", "I-1")):
        await tell(paypal_stack, f"WH-{number}", *observations)
    tables = "SELECT (SELECT count(*) FROM subscription_facts), (SELECT count(*) FROM {})"
    counts = tables.format("subscription_changes")
    before = (await query(paypal_stack, counts), await standing_of(paypal_stack))
    await query(paypal_stack, "UPDATE webhook_events SET state = 'RECEIVED'")
    await eventually(lambda: events_of(paypal_stack, state=DONE), lambda it: len(it) == 8)
    assert (await query(paypal_stack, counts), await standing_of(paypal_stack)) == before


async def test_history_tells_what_changed_and_by_which_event(paypal_stack: Stack) -> None:
    await tell(paypal_stack, "WH-1", is_(ACTIVE, at(1)))
    await tell(paypal_stack, "WH-2", is_(ACTIVE, at(2), plan_id="pro"))
    await tell(paypal_stack, "WH-3", is_(ACTIVE, at(3), cancel_at_period_end=True))
    await tell(paypal_stack, "WH-4", is_(CANCELED, at(4)))
    told = [
        (line["source_id"], line["from_state"], line["to_state"], line["good_standing"])
        for line in await history_of(paypal_stack)
    ]
    assert told == [
        ("WH-1", None, "ACTIVE", True),
        ("WH-3", "ACTIVE", "ACTIVE", True),
        ("WH-4", "ACTIVE", "CANCELED", False),
    ]


async def test_a_sale_after_the_end_does_not_bring_a_subscription_back(paypal_stack: Stack) -> None:
    await tell(paypal_stack, "WH-1", is_(CANCELED, at(5)))
    await tell(paypal_stack, "WH-2", paid(at(9)), is_(ACTIVE, at(9)))
    subscription = await subscription_of(paypal_stack)
    assert subscription.state == subscription_pb2.SUBSCRIPTION_STATE_CANCELED
    assert not (await standing_of(paypal_stack)).level.good_standing


async def test_a_renewal_that_is_only_paid_is_good_for_a_day(paypal_stack: Stack) -> None:
    """PayPal tells of a renewal by nothing but the sale."""
    await tell(paypal_stack, "WH-1", is_(ACTIVE, at(0), period_end=now() - timedelta(days=2)))
    assert not (await standing_of(paypal_stack)).level.good_standing
    await tell(paypal_stack, "WH-2", paid(now()))
    level = (await standing_of(paypal_stack)).level
    assert level.good_standing
    assert level.good_until.ToDatetime() < (now() + timedelta(days=2, hours=1)).replace(tzinfo=None)


async def test_a_switch_of_provider_stands_by_whichever_is_good(
    stopped_stack: Stack, paypal: FakeProvider
) -> None:
    stripe = FakeProvider(Provider.STRIPE, can_be_asked=False)
    stopped_stack.gateway_providers = {Provider.PAYPAL: paypal, Provider.STRIPE: stripe}
    await stopped_stack.start("billing_gateway")
    await tell(stopped_stack, "WH-1", is_(ACTIVE, at(1)))
    new = is_(ACTIVE, at(5), subscription_id="sub_1", period_end=PERIOD_END + timedelta(days=9))
    await stopped_stack.deliver_fake(Provider.STRIPE, "evt_1", new)
    await eventually(
        lambda: subscription_of(stopped_stack), lambda it: it.provider_subscription_id == "sub_1"
    )
    await tell(stopped_stack, "WH-2", is_(CANCELED, at(9)))
    standing = await standing_of(stopped_stack)
    assert standing.level.good_standing
    assert [each.good_standing for each in standing.subscriptions] == [False, True]


async def test_what_one_event_says_of_several_subscriptions_waits_only_for_what_nobody_owns(
    paypal_stack: Stack,
) -> None:
    other = is_(ACTIVE, at(1), claim=None, subscription_id="I-2", customer_id="payer-2")
    found = await tell(paypal_stack, "WH-1", is_(ACTIVE, at(1)), other)
    assert found.state == PARKED
    assert "no organization is linked" in found.last_error
    assert (await subscription_of(paypal_stack)).state == subscription_pb2.SUBSCRIPTION_STATE_ACTIVE
    claimed = SubscriptionClaimed("I-2", "payer-2", "checkout-2", Claim("org-2"))
    await tell(paypal_stack, "WH-2", claimed)
    await eventually(lambda: event_of(paypal_stack, "WH-1"), lambda it: it.state == DONE)
    assert (await standing_of(paypal_stack, "org-2")).level.good_standing


async def test_what_a_claim_of_one_word_says_counts_for_the_whole_event(
    paypal_stack: Stack,
) -> None:
    failure = failed(at(5))
    found = await tell(paypal_stack, "WH-1", failure, is_(ACTIVE, at(1)))
    assert (found.state, found.organization_id) == (DONE, "org-1")
    await state_reaches(paypal_stack, PAST_DUE)


async def test_only_a_proof_or_trust_makes_a_claim_count(
    stopped_stack: Stack, paypal: FakeProvider
) -> None:
    stopped_stack.gateway_providers = {Provider.PAYPAL: paypal}
    stopped_stack.gateway_settings = {
        "trust_claimed_organizations": False,
        "claim_keys": (SecretStr("n" * 32), SecretStr(CLAIM_KEY)),
    }
    await stopped_stack.start("billing_gateway")
    proof = ClaimKeys((CLAIM_KEY.encode(),)).prove(Provider.PAYPAL, "org-1", "intent-1")
    forged = Claim("org-2", "intent-1", proof)
    for number, claim in enumerate([OURS, forged]):
        told = is_(ACTIVE, at(1), claim=claim, subscription_id=f"I-{number}")
        found = await tell(stopped_stack, f"WH-{number}", told)
        assert found.state == PARKED
        assert "is not trusted" in found.last_error
    ours = Claim("org-1", "intent-1", proof)
    found = await tell(stopped_stack, "WH-9", is_(ACTIVE, at(1), claim=ours, subscription_id="I-9"))
    assert (found.state, found.organization_id) == (DONE, "org-1")
    # Now the customer is known, by whom the others waited.
    await eventually(lambda: events_of(stopped_stack, state=DONE), lambda it: len(it) == 3)


async def test_a_proof_against_our_own_word_is_for_people_to_see(
    stopped_stack: Stack, paypal: FakeProvider
) -> None:
    stopped_stack.gateway_providers = {Provider.PAYPAL: paypal}
    stopped_stack.gateway_settings = {"claim_keys": (SecretStr(CLAIM_KEY),)}
    await stopped_stack.start("billing_gateway")
    await tell(stopped_stack, "WH-1", is_(ACTIVE, at(1)))
    proof = ClaimKeys((CLAIM_KEY.encode(),)).prove(Provider.PAYPAL, "org-2", "intent-1")
    found = await tell(
        stopped_stack, "WH-2", is_(SUSPENDED, at(2), claim=Claim("org-2", "intent-1", proof))
    )
    assert found.state == PARKED
    assert "org-1, org-2" in found.last_error
    assert (await standing_of(stopped_stack)).level.good_standing


async def test_a_held_organization_costs_settling_no_waiting(paypal_stack: Stack) -> None:
    await tell(paypal_stack, "WH-1", is_(ACTIVE, at(1)))
    database = paypal_stack.databases["billing_gateway"]
    connection = await asyncpg.connect(database.superuser_url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT FROM organizations FOR UPDATE")
            await paypal_stack.deliver_fake(Provider.PAYPAL, "WH-2", is_(SUSPENDED, at(2)))
            for _ in range(3):
                await is_put_off_anew(paypal_stack, "WH-2")
                assert await lock_waits(database) == 0
    finally:
        await connection.close()
    await state_reaches(paypal_stack, SUSPENDED)
    assert (await event_of(paypal_stack, "WH-2")).attempt_count == 1


async def is_put_off_anew(stack: Stack, event_id: str) -> None:
    """Wait until an event is put off again, for less than anybody waits for a lock."""

    async def due_time() -> datetime:
        due = "SELECT next_attempt_time AS due FROM webhook_events WHERE event_id = $1"
        [row] = await query(stack, due, event_id)
        found: datetime = row["due"]
        return found

    before = await due_time()
    await eventually(due_time, lambda due: due > before, timeout_seconds=1.5)


def names_of(standing: billing_gateway_service_pb2.GetSubscriptionResponse) -> Sequence[str]:
    return [each.provider_subscription_id for each in standing.subscriptions]


async def test_a_subscription_made_by_a_checkout_is_pending_until_somebody_tells(
    paypal_stack: Stack,
) -> None:
    await tell(paypal_stack, "WH-1", SubscriptionClaimed("I-1", CUSTOMER, "checkout-1", OURS))
    standing = await standing_of(paypal_stack)
    assert names_of(standing) == ["I-1"]
    assert standing.level.state == subscription_pb2.SUBSCRIPTION_STATE_PENDING
    assert standing.deciding_subscription.provider_customer_id == CUSTOMER
    await tell(paypal_stack, "WH-2", is_(ACTIVE, at(1), claim=None))
    await state_reaches(paypal_stack, ACTIVE)
