"""CompareSubscriptions: what a sync would change is told, and nothing is changed."""

import asyncio
from dataclasses import dataclass

import pytest

from libs.levels import SubscriptionState
from services.billing_gateway.domain.values import Provider
from services.billing_gateway.operations.comparing import ASKED_AT_ONCE_MAX
from services.billing_gateway.ports import Answer
from tests.integration.billing_gateway.subscriptions_told import (
    PERIOD_END,
    at,
    failed,
    is_,
    query,
    standing_of,
    tell,
)
from tests.support.fake_provider import FakeProvider
from tests.support.stack import Stack, now
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_pb2,
    billing_gateway_service_subscriptions_pb2,
    subscription_pb2,
)

ACTIVE, PAST_DUE = SubscriptionState.ACTIVE, SubscriptionState.PAST_DUE
SUSPENDED, CANCELED = SubscriptionState.SUSPENDED, SubscriptionState.CANCELED
WRITTEN = """
SELECT (SELECT array_agg(xmin::text ORDER BY subscription_id) FROM subscriptions),
    (SELECT count(*) FROM subscription_facts), (SELECT count(*) FROM subscription_changes)
"""


@dataclass
class SilentProvider(FakeProvider):
    """Takes every question about a subscription, and never answers."""

    open_count: int = 0
    open_max: int = 0

    async def fetch_subscription(self, subscription_id: str) -> Answer:
        self.open_count += 1
        self.open_max = max(self.open_max, self.open_count)
        try:
            return await asyncio.Future[Answer]()
        finally:
            self.open_count -= 1


@pytest.fixture
def stack_services() -> tuple[str, ...]:
    """Who is told of the level is another matter."""
    return ("billing_gateway",)


async def compare(
    stack: Stack,
) -> dict[str, billing_gateway_service_pb2.SubscriptionComparison]:
    request = billing_gateway_service_pb2.CompareSubscriptionsRequest(organization_id="org-1")
    found = await stack.gateway.CompareSubscriptions(request)
    return {each.subscription.provider_subscription_id: each for each in found.comparisons}


def state_of(value: subscription_pb2.SubscriptionState.ValueType) -> str:
    return subscription_pb2.SubscriptionState.Name(value).removeprefix("SUBSCRIPTION_STATE_")


async def test_what_differs_is_what_a_sync_would_change(
    fake_stack: Stack, paypal: FakeProvider
) -> None:
    since, longer = at(1), PERIOD_END.replace(year=PERIOD_END.year + 1)
    seen_as = {
        "I-same": is_(ACTIVE, since, confirmed=True, subscription_id="I-same"),
        "I-suspended": is_(SUSPENDED, now(), confirmed=True, subscription_id="I-suspended"),
        "I-renewed": is_(
            ACTIVE,
            since,
            confirmed=True,
            details_time=now(),
            period_end=longer,
            subscription_id="I-renewed",
        ),
        # PayPal goes on to call it active while it tries to collect.
        "I-failing": is_(ACTIVE, since, confirmed=True, subscription_id="I-failing"),
    }
    for subscription_id, seen in seen_as.items():
        await tell(fake_stack, subscription_id, is_(ACTIVE, since, subscription_id=subscription_id))
        paypal.answer(subscription_id, seen, provider_time=now())
    await tell(fake_stack, "WH-failed", failed(at(2), "I-failing"))
    await tell(fake_stack, "WH-ended", is_(CANCELED, since, subscription_id="I-ended"))
    before = await query(fake_stack, WRITTEN)

    found = await compare(fake_stack)

    assert {
        name: (state_of(each.provider_state), each.differs) for name, each in found.items()
    } == {
        "I-same": ("ACTIVE", False),
        "I-suspended": ("SUSPENDED", True),
        "I-renewed": ("ACTIVE", True),
        "I-failing": ("PAST_DUE", False),
    }
    assert not any(each.provider_error for each in found.values())
    assert await query(fake_stack, WRITTEN) == before
    sync = billing_gateway_service_subscriptions_pb2.SyncSubscriptionRequest(
        organization_id="org-1"
    )
    await fake_stack.gateway.SyncSubscription(sync)
    for each in (await standing_of(fake_stack)).subscriptions:
        told = found.get(each.provider_subscription_id)
        assert told is None or told.provider_state == each.state
    assert not any(each.differs for each in (await compare(fake_stack)).values())


async def test_a_provider_that_does_not_tell_is_named_and_keeps_no_other_from_it(
    stopped_stack: Stack,
) -> None:
    """However many of one are silent, all are asked at once."""
    paypal, stripe = SilentProvider(Provider.PAYPAL), FakeProvider(Provider.STRIPE)
    stopped_stack.gateway_providers = {each.name: each for each in (paypal, stripe)}
    await stopped_stack.start("billing_gateway")
    for number in range(3):
        name = f"I-{number}"
        await tell(stopped_stack, name, is_(ACTIVE, at(1), subscription_id=name))
    for name in ("sub_same", "sub_unknown", "sub_vague"):
        told = is_(ACTIVE, at(1), subscription_id=name)
        assert await stopped_stack.deliver_fake(Provider.STRIPE, name, told) == 200
    await eventually(lambda: standing_of(stopped_stack), lambda it: len(it.subscriptions) == 6)
    stripe.answer("sub_same", is_(ACTIVE, at(1), confirmed=True, subscription_id="sub_same"))
    stripe.answer("sub_vague")
    async with asyncio.timeout(5.0):
        found = await compare(stopped_stack)
    errors = {name: each.provider_error for name, each in found.items()}
    assert errors == {
        **{f"I-{number}": "the provider has not answered within 2 s" for number in range(3)},
        "sub_same": "",
        "sub_unknown": "the provider refused: sub_unknown is not known",
        "sub_vague": "the provider's answer does not tell how it stands",
    }
    for name, each in found.items():
        assert not each.differs
        assert bool(each.provider_state) == (name == "sub_same")
    stripe.can_be_asked = False
    paypal.can_be_asked = False
    for each in (await compare(stopped_stack)).values():
        assert "no credentials" in each.provider_error


async def test_whoever_looks_again_and_again_leaves_the_provider_to_others(
    stopped_stack: Stack,
) -> None:
    paypal = SilentProvider(Provider.PAYPAL)
    stopped_stack.gateway_providers = {paypal.name: paypal}
    await stopped_stack.start("billing_gateway")
    await tell(stopped_stack, "I-1", is_(ACTIVE, at(1), subscription_id="I-1"))
    await eventually(lambda: standing_of(stopped_stack), lambda it: len(it.subscriptions) == 1)
    for found in await asyncio.gather(*(compare(stopped_stack) for _ in range(30))):
        assert found["I-1"].provider_error == "the provider has not answered within 2 s"
    assert paypal.open_max == ASKED_AT_ONCE_MAX
