"""What PayPal tells of payments: captures are top-ups, sales pay for subscriptions.

The one credit source of a top-up is its completed capture, that of a subscription's payment its
completed sale. Orders and subscriptions tell of the same money and are no second credit.
"""

from collections.abc import Callable
from datetime import datetime

from services.billing_gateway.domain.observations import (
    Observation,
    PaymentPaid,
    PaymentProgressed,
    PlanLine,
    SubscriptionPaid,
)
from services.billing_gateway.domain.values import PaymentObject, PaymentProgress
from services.billing_gateway.paypal.amounts import read_money
from services.billing_gateway.paypal.body import PayPalEvent, linked_id, read_claim, read_status
from services.billing_gateway.paypal.times import first_time
from services.billing_gateway.reading import (
    JsonObject,
    UnreadableError,
    get_object,
    optional_id,
    required_id,
)

# None: it is made. A state that is not listed is not made.
PROGRESS = {
    "COMPLETED": None,
    "PARTIALLY_REFUNDED": None,
    "REFUNDED": None,
    "DECLINED": PaymentProgress.FAILED,
    "DENIED": PaymentProgress.FAILED,
    "FAILED": PaymentProgress.FAILED,
}
PROGRESS_RANKS = {PaymentProgress.PENDING: 0, PaymentProgress.FAILED: 1}

Observe = Callable[[PayPalEvent], tuple[Observation, ...]]


def observe_sale(progress: PaymentProgress | None) -> Observe:
    """Return what reads an event of a sale that has come so far; None: to its end."""

    def observe(event: PayPalEvent) -> tuple[Observation, ...]:
        return read_sale(event.resource, progress, event.time)

    return observe


def observe_capture(progress: PaymentProgress | None) -> Observe:
    """Return what reads an event of a capture that has come so far; None: to its end."""

    def observe(event: PayPalEvent) -> tuple[Observation, ...]:
        return read_capture(event.resource, progress, event.time)

    return observe


def read_progress(payment: JsonObject) -> PaymentProgress | None:
    """Return how far a payment has come that was asked for."""
    return PROGRESS.get(read_status(payment), PaymentProgress.PENDING)


def read_sale(
    sale: JsonObject, progress: PaymentProgress | None, told_time: datetime
) -> tuple[Observation, ...]:
    """Return what a sale says; told_time stands in for times that it lacks."""
    subscription_id = optional_id(sale, "billing_agreement_id")
    if progress is not None:
        return (_progressed(sale, subscription_id, progress, told_time),)
    paid = _paid(sale, subscription_id, "", told_time)
    if not subscription_id:
        return paid
    renewed = SubscriptionPaid(
        subscription_id=subscription_id,
        customer_id="",
        claim=read_claim(sale),
        provider_time=first_time(sale, ["create_time"]) or told_time,
        period_end_time=None,
        moves_state=True,
    )
    return (*paid, renewed)


def read_capture(
    capture: JsonObject, progress: PaymentProgress | None, told_time: datetime
) -> tuple[Observation, ...]:
    """Return what a capture says; told_time stands in for times that it lacks."""
    if progress is not None:
        return (_progressed(capture, "", progress, told_time),)
    related = get_object(get_object(capture, "supplementary_data"), "related_ids")
    order_id = optional_id(related, "order_id") or linked_id(capture, "up", "orders")
    return _paid(capture, "", order_id, told_time)


def _paid(
    payment: JsonObject, subscription_id: str, checkout_id: str, told_time: datetime
) -> tuple[PaymentPaid, ...]:
    money = read_money(payment, "amount")
    if money.micros < 0:
        raise UnreadableError("a payment to us is below zero")
    if money.micros == 0:
        return ()
    # Not update_time: a refund moves that.
    paid_time = first_time(payment, ["create_time"]) or told_time
    return (
        PaymentPaid(
            objects=_objects(payment),
            subscription_id=subscription_id,
            customer_id="",
            checkout_id=checkout_id,
            claim=read_claim(payment),
            # Each sale of a subscription buys its next period, of whatever plan it then has.
            lines=(PlanLine("", paid_time),) if subscription_id else (),
            currency_code=money.currency_code,
            paid_micros=money.micros,
            paid_time=paid_time,
        ),
    )


def _progressed(
    payment: JsonObject, subscription_id: str, progress: PaymentProgress, told_time: datetime
) -> PaymentProgressed:
    return PaymentProgressed(
        objects=_objects(payment),
        subscription_id=subscription_id,
        customer_id="",
        claim=read_claim(payment),
        progress=progress,
        provider_time=first_time(payment, ["update_time", "create_time"]) or told_time,
        rank=PROGRESS_RANKS[progress],
        for_good=progress is PaymentProgress.FAILED,
    )


def _objects(payment: JsonObject) -> tuple[PaymentObject, ...]:
    return (PaymentObject(required_id(payment, "id"), 0),)
