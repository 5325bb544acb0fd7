"""What Stripe's events say of subscriptions, in both shapes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dev.simulators.stripe.shapes import Shape, write
from libs.levels import SubscriptionState
from services.billing_gateway.domain.observations import (
    Claim,
    Ignored,
    Observation,
    SubscriptionObserved,
    SubscriptionPaymentFailed,
    Unreadable,
)
from services.billing_gateway.stripe.translation.subscriptions import RANKS, observe_subscription
from services.billing_gateway.stripe.translation.told import Told
from tests.unit.billing_gateway.stripe.telling import (
    INVOICE,
    NOW,
    PERIOD_END,
    SUBSCRIPTION,
    event,
    only,
    translate,
)

UPDATED = "customer.subscription.updated"
ACTIVE = SubscriptionObserved(
    subscription_id="sub_1",
    customer_id="cus_1",
    claim=Claim("org-1"),
    plan_id="price_pro",
    state=SubscriptionState.ACTIVE,
    current_period_end_time=PERIOD_END,
    cancel_at_period_end=False,
    provider_time=NOW,
    details_time=NOW,
    rank=1,
)


def subscription(told: dict[str, Any]) -> SubscriptionObserved:
    found: Observation = only(told)
    assert isinstance(found, SubscriptionObserved)
    return found


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("incomplete", SubscriptionState.PENDING),
        ("trialing", SubscriptionState.TRIALING),
        ("active", SubscriptionState.ACTIVE),
        ("past_due", SubscriptionState.PAST_DUE),
        ("unpaid", SubscriptionState.SUSPENDED),
        ("paused", SubscriptionState.SUSPENDED),
        ("canceled", SubscriptionState.CANCELED),
        ("incomplete_expired", SubscriptionState.CANCELED),
        ("a_state_of_the_future", SubscriptionState.SUSPENDED),
    ],
)
def test_every_status_has_its_state(status: str, state: SubscriptionState, shape: Shape) -> None:
    told = event(UPDATED, replace(SUBSCRIPTION, status=status), shape=shape)
    assert subscription(told) == replace(ACTIVE, state=state)


def test_of_one_second_the_end_comes_last() -> None:
    ranks = {kind: subscription(event(kind, SUBSCRIPTION)).rank for kind in RANKS}
    assert ranks == {
        "customer.subscription.created": -2,
        "customer.subscription.updated": 1,
        "customer.subscription.paused": 2,
        "customer.subscription.resumed": 2,
        "customer.subscription.deleted": 3,
    }


def test_a_deleted_subscription_is_canceled_whatever_its_status_says() -> None:
    found = subscription(event("customer.subscription.deleted", SUBSCRIPTION))
    assert found.state is SubscriptionState.CANCELED


def test_a_good_state_without_an_end_is_told_as_it_is() -> None:
    told = event(UPDATED, SUBSCRIPTION, items={"object": "list", "data": []}, cancel_at=1)
    assert subscription(told) == replace(ACTIVE, current_period_end_time=None, plan_id="")


def test_of_several_items_the_first_to_end_decides() -> None:
    items = write(SUBSCRIPTION)["items"]
    [item] = items["data"]
    later = item | {"current_period_end": item["current_period_end"] + 86_400}
    told = event(UPDATED, SUBSCRIPTION, items=items | {"data": [later, item]})
    assert subscription(told).current_period_end_time == PERIOD_END


@pytest.mark.parametrize(
    ("changes", "ends"),
    [
        ({"cancel_at_period_end": True}, True),
        ({"cancel_at": int(PERIOD_END.timestamp())}, True),
        ({"cancel_at": int(PERIOD_END.timestamp()) + 1}, False),
        ({"cancel_at_period_end": "true"}, False),
    ],
)
def test_an_end_within_the_period_is_seen(changes: dict[str, Any], *, ends: bool) -> None:
    assert subscription(event(UPDATED, SUBSCRIPTION, **changes)).cancel_at_period_end is ends


def test_a_time_from_the_future_is_none() -> None:
    late = subscription(event(UPDATED, SUBSCRIPTION, NOW + timedelta(minutes=5, seconds=1)))
    assert (late.provider_time, late.details_time) == (None, None)
    in_time = NOW + timedelta(minutes=5)
    assert subscription(event(UPDATED, SUBSCRIPTION, in_time)).provider_time == in_time


def test_an_answer_confirms_and_is_older_than_any_event_of_its_second() -> None:
    [found] = observe_subscription(Told(write(SUBSCRIPTION), NOW, NOW))
    assert found == replace(ACTIVE, rank=-1, confirmed=True)


def test_what_tollgate_wrote_is_read_with_its_proof() -> None:
    metadata = {"organization_id": "org-2", "tollgate_intent": "1" * 32, "tollgate_proof": "2" * 32}
    found = subscription(event(UPDATED, SUBSCRIPTION, metadata=metadata))
    assert found.claim == Claim("org-2", "1" * 32, "2" * 32)


@pytest.mark.parametrize("metadata", [{}, None, [], {"organization_id": "a b"}])
def test_what_claims_nobody_is_nobodys(metadata: object) -> None:
    assert subscription(event(UPDATED, SUBSCRIPTION, metadata=metadata)).claim is None


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize(
    "kind", ["invoice.payment_failed", "invoice.payment_action_required", "invoice.overdue"]
)
def test_a_failed_attempt_says_whose_and_when_but_moves_no_state(kind: str, shape: Shape) -> None:
    found = only(event(kind, replace(INVOICE, status="open", amount_paid=0), shape=shape))
    assert found == SubscriptionPaymentFailed("sub_1", "cus_1", NOW, moves_state=False)


def test_a_failed_attempt_at_another_invoice_is_no_concern_of_ours() -> None:
    assert translate(event("invoice.payment_failed", INVOICE, parent=None)) == Ignored()


def test_an_impossible_period_is_not_read() -> None:
    told = event(UPDATED, SUBSCRIPTION, current_period_end="soon")
    assert translate(told) == Unreadable("current_period_end is not a time")
