"""What PayPal tells of subscriptions: v2's, and the agreements of v1."""

from dataclasses import replace
from datetime import datetime

from libs.levels import SubscriptionState
from services.billing_gateway.domain.observations import (
    CREATED_RANK,
    LOOK_RANK,
    Observation,
    SubscriptionObserved,
    SubscriptionPaid,
    SubscriptionPaymentFailed,
)
from services.billing_gateway.paypal.body import PayPalEvent, read_claim, read_status
from services.billing_gateway.paypal.times import first_time
from services.billing_gateway.reading import JsonObject, get_object, optional_id, required_id

# A state that is not listed is one that Tollgate does not know: it does not let anyone send.
STATES = {
    "APPROVAL_PENDING": SubscriptionState.PENDING,
    "APPROVED": SubscriptionState.PENDING,
    "PENDING": SubscriptionState.PENDING,
    "ACTIVE": SubscriptionState.ACTIVE,
    "SUSPENDED": SubscriptionState.SUSPENDED,
    "CANCELLED": SubscriptionState.CANCELED,
    "EXPIRED": SubscriptionState.CANCELED,
}

CREATED = "BILLING.SUBSCRIPTION.CREATED"
UPDATED = "BILLING.SUBSCRIPTION.UPDATED"
PAYMENT_FAILED = "BILLING.SUBSCRIPTION.PAYMENT.FAILED"
ENDED = ("BILLING.SUBSCRIPTION.CANCELLED", "BILLING.SUBSCRIPTION.EXPIRED")
RANKS = {
    CREATED: CREATED_RANK,
    UPDATED: 1,
    PAYMENT_FAILED: 1,
    "BILLING.SUBSCRIPTION.ACTIVATED": 2,
    "BILLING.SUBSCRIPTION.RE-ACTIVATED": 2,
    "BILLING.SUBSCRIPTION.SUSPENDED": 3,
    **dict.fromkeys(ENDED, 4),
}


def observe_subscription(event: PayPalEvent) -> tuple[Observation, ...]:
    """Return what an event says of a subscription, of its last payment and of its last failure."""
    subscription, told_time = event.resource, event.create_time
    if event.event_type == CREATED and told_time is not None:
        # As precise as answers are dated, so that of one second its rank counts.
        told_time = told_time.replace(microsecond=0)
    changed = first_time(subscription, ["status_update_time", "update_time"])
    rank = RANKS[event.event_type]
    observed = _read(subscription, changed or told_time, told_time, rank)
    if event.event_type in ENDED:
        observed = replace(observed, state=SubscriptionState.CANCELED)
    if event.event_type == UPDATED:
        observed = replace(observed, wants_look=True)
    if event.event_type == PAYMENT_FAILED:
        failure = _failure(observed, _told_failure_time(event))
        return (observed, *_payment(observed, subscription), failure)
    return (observed, *_payments(observed, subscription))


def _told_failure_time(event: PayPalEvent) -> datetime | None:
    """Return when the payment failed that the event is about; older ones are told with it."""
    last = _last_failure_time(event.resource)
    status_time = first_time(event.resource, ["status_update_time"])
    if last is None or (status_time is not None and last < status_time):
        return event.create_time
    return last


def read_subscription(subscription: JsonObject, answer_time: datetime) -> tuple[Observation, ...]:
    """Return what a subscription says that was asked for; answer_time: by PayPal's clock."""
    changed = first_time(subscription, ["status_update_time"])
    observed = _read(subscription, changed or answer_time, answer_time, LOOK_RANK)
    return (replace(observed, confirmed=True), *_payments(observed, subscription))


def _read(
    subscription: JsonObject,
    provider_time: datetime | None,
    details_time: datetime | None,
    rank: int,
) -> SubscriptionObserved:
    return SubscriptionObserved(
        subscription_id=required_id(subscription, "id"),
        customer_id=_customer_id(subscription),
        claim=read_claim(subscription),
        plan_id=optional_id(subscription, "plan_id"),
        state=read_state(subscription),
        current_period_end_time=_period_end(subscription),
        cancel_at_period_end=False,
        provider_time=provider_time,
        details_time=details_time,
        rank=rank,
    )


def read_state(subscription: JsonObject) -> SubscriptionState:
    """Return the state."""
    return STATES.get(read_status(subscription), SubscriptionState.SUSPENDED)


def _customer_id(subscription: JsonObject) -> str:
    payer = get_object(get_object(subscription, "payer"), "payer_info")
    return optional_id(get_object(subscription, "subscriber"), "payer_id") or optional_id(
        payer, "payer_id"
    )


def _period_end(subscription: JsonObject) -> datetime | None:
    return first_time(get_object(subscription, "billing_info"), ["next_billing_time"]) or (
        first_time(get_object(subscription, "agreement_details"), ["next_billing_date"])
    )


def _last_payment_time(subscription: JsonObject) -> datetime | None:
    last = get_object(get_object(subscription, "billing_info"), "last_payment")
    return first_time(last, ["time"]) or first_time(
        get_object(subscription, "agreement_details"), ["last_payment_date"]
    )


def _last_failure_time(subscription: JsonObject) -> datetime | None:
    last = get_object(get_object(subscription, "billing_info"), "last_failed_payment")
    return first_time(last, ["time"])


def _payments(observed: SubscriptionObserved, subscription: JsonObject) -> tuple[Observation, ...]:
    paid_time, failure_time = _last_payment_time(subscription), _last_failure_time(subscription)
    paid = _payment(observed, subscription)
    if failure_time is None or (paid_time is not None and failure_time <= paid_time):
        return paid
    return (*paid, _failure(observed, failure_time))


def _payment(
    observed: SubscriptionObserved, subscription: JsonObject
) -> tuple[SubscriptionPaid, ...]:
    paid_time = _last_payment_time(subscription)
    if paid_time is None:
        return ()
    return (
        SubscriptionPaid(
            subscription_id=observed.subscription_id,
            customer_id=observed.customer_id,
            claim=observed.claim,
            provider_time=paid_time,
            period_end_time=observed.current_period_end_time,
            moves_state=True,
        ),
    )


def _failure(
    observed: SubscriptionObserved, failure_time: datetime | None
) -> SubscriptionPaymentFailed:
    return SubscriptionPaymentFailed(
        subscription_id=observed.subscription_id,
        customer_id=observed.customer_id,
        provider_time=failure_time,
        moves_state=True,
    )
