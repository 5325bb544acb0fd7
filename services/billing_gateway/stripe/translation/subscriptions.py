"""What Stripe tells of subscriptions."""

from collections.abc import Mapping
from datetime import datetime

from libs.levels import SubscriptionState
from services.billing_gateway.domain.observations import (
    CREATED_RANK,
    LOOK_RANK,
    Observation,
    SubscriptionObserved,
    SubscriptionPaymentFailed,
)
from services.billing_gateway.reading import (
    JsonObject,
    get_object,
    optional_id,
    optional_word,
    required_id,
)
from services.billing_gateway.stripe.body import get_data, optional_time
from services.billing_gateway.stripe.claims import read_claim
from services.billing_gateway.stripe.translation.told import Told

# A state that is not listed is one that Tollgate does not know: it does not let anyone send.
STATES = {
    "incomplete": SubscriptionState.PENDING,
    "trialing": SubscriptionState.TRIALING,
    "active": SubscriptionState.ACTIVE,
    "past_due": SubscriptionState.PAST_DUE,
    "unpaid": SubscriptionState.SUSPENDED,
    "paused": SubscriptionState.SUSPENDED,
    "canceled": SubscriptionState.CANCELED,
    "incomplete_expired": SubscriptionState.CANCELED,
}
DELETED = "customer.subscription.deleted"
RANKS: Mapping[str, int] = {
    "customer.subscription.created": CREATED_RANK,
    "customer.subscription.updated": 1,
    "customer.subscription.paused": 2,
    "customer.subscription.resumed": 2,
    DELETED: 3,
}


def observe_subscription(told: Told) -> tuple[Observation, ...]:
    """How a subscription stands, by an event or by an answer."""
    subscription = told.object
    items = get_data(subscription, "items")
    state = STATES.get(optional_word(subscription, "status"), SubscriptionState.SUSPENDED)
    period_end = _period_end(subscription, items)
    return (
        SubscriptionObserved(
            subscription_id=required_id(subscription, "id"),
            customer_id=optional_id(subscription, "customer"),
            claim=read_claim(subscription),
            plan_id=price_id(items[0]) if items else "",
            state=SubscriptionState.CANCELED if told.event_type == DELETED else state,
            current_period_end_time=period_end,
            cancel_at_period_end=_ends_by(subscription, period_end),
            provider_time=told.time,
            details_time=told.time,
            rank=RANKS.get(told.event_type, LOOK_RANK),
            confirmed=not told.event_type,
        ),
    )


def _period_end(subscription: JsonObject, items: list[JsonObject]) -> datetime | None:
    """Since basil each item has a period of its own; what is paid ends with the first of them."""
    ends = [optional_time(each, "current_period_end") for each in (subscription, *items)]
    return min((end for end in ends if end is not None), default=None)


def _ends_by(subscription: JsonObject, period_end: datetime | None) -> bool:
    """An end within the period may be told as a time as well."""
    ends = optional_time(subscription, "cancel_at")
    is_within = ends is not None and period_end is not None and ends <= period_end
    return is_within or subscription.get("cancel_at_period_end") is True


def observe_failed_attempt(told: Told) -> tuple[Observation, ...]:
    """A subscription's invoice could not be collected. The subscription's own state says more."""
    invoice = told.object
    subscription_id = subscription_of(invoice)
    if not subscription_id:
        return ()
    return (
        SubscriptionPaymentFailed(
            subscription_id=subscription_id,
            customer_id=optional_id(invoice, "customer"),
            provider_time=told.time,
            moves_state=False,
        ),
    )


def subscription_of(invoice: JsonObject) -> str:
    """Return the subscription that an invoice is of; until 2025-03 it stood on top."""
    details = subscription_details(invoice)
    return optional_id(details, "subscription") or optional_id(invoice, "subscription")


def subscription_details(invoice: JsonObject) -> JsonObject:
    """Return what an invoice knows of its subscription, in its new and its old place."""
    details = get_object(get_object(invoice, "parent"), "subscription_details")
    return details or get_object(invoice, "subscription_details")


def price_id(item: JsonObject) -> str:
    """Return the plan of a subscription's item, or of an invoice's line, new shape and old."""
    pricing = get_object(get_object(item, "pricing"), "price_details")
    return optional_id(pricing, "price") or optional_id(item, "price") or optional_id(item, "plan")
