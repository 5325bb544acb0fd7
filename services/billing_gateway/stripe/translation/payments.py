"""What Stripe tells of payments. invoice.paid is the one credit source of a subscription's money.

Every other event of the same money is a fact about it, never a second credit.
"""

from collections.abc import Iterator
from datetime import datetime

from services.billing_gateway.domain.observations import (
    Claim,
    Observation,
    PaymentLinked,
    PaymentPaid,
    PaymentProgressed,
    PlanLine,
    SubscriptionPaid,
)
from services.billing_gateway.domain.values import PaymentObject, PaymentProgress
from services.billing_gateway.reading import (
    JsonObject,
    UnreadableError,
    get_object,
    optional_id,
    required_id,
)
from services.billing_gateway.stripe.body import (
    get_data,
    optional_time,
    required_amount,
    required_money,
)
from services.billing_gateway.stripe.claims import read_claim
from services.billing_gateway.stripe.translation.subscriptions import (
    price_id,
    subscription_details,
    subscription_of,
)
from services.billing_gateway.stripe.translation.told import (
    CHARGE,
    INTENT,
    INVOICE,
    NAMING,
    Told,
    payment_objects,
)

RENEWING_REASONS = ("subscription_create", "subscription_cycle")
FAILED_INTENTS = ("payment_intent.payment_failed", "payment_intent.canceled")


def observe_paid_invoice(told: Told) -> tuple[Observation, ...]:
    """A subscription's invoice is paid; by nothing, where it is a trial's or a coupon covers it."""
    invoice = told.object
    subscription_id = subscription_of(invoice)
    if not subscription_id:
        return ()
    claim = read_claim(subscription_details(invoice)) or read_claim(invoice)
    customer_id = optional_id(invoice, "customer")
    paid = SubscriptionPaid(
        subscription_id=subscription_id,
        customer_id=customer_id,
        claim=claim,
        provider_time=told.time,
        period_end_time=max(_renewed_ends(invoice), default=None),
        moves_state=False,
    )
    if required_amount(invoice, "amount_paid") == 0:
        return (paid,)
    return (_invoice_payment(told, subscription_id, customer_id, claim), paid)


def _invoice_payment(
    told: Told, subscription_id: str, customer_id: str, claim: Claim | None
) -> PaymentPaid:
    invoice = told.object
    paid_micros, currency_code = required_money(invoice, "amount_paid")
    return PaymentPaid(
        objects=_invoice_objects(invoice),
        subscription_id=subscription_id,
        customer_id=customer_id,
        checkout_id="",
        claim=claim,
        lines=tuple(
            PlanLine(plan_id, _period(line, "start") if _is_renewal(line, invoice) else None)
            for line in get_data(invoice, "lines")
            if (plan_id := price_id(line))
        ),
        currency_code=currency_code,
        paid_micros=paid_micros,
        paid_time=told.money_time,
    )


def _invoice_objects(invoice: JsonObject) -> tuple[PaymentObject, ...]:
    """Since 2025-03 an invoice lists its payments, if it was asked to; it named one before."""
    payments = [get_object(each, "payment") for each in get_data(invoice, "payments")]
    return payment_objects(
        (required_id(invoice, "id"), NAMING),
        *(
            named
            for payment in (invoice, *payments)
            for named in (
                (optional_id(payment, "payment_intent"), INTENT),
                (optional_id(payment, "charge"), CHARGE),
            )
        ),
    )


def _renewed_ends(invoice: JsonObject) -> Iterator[datetime]:
    for line in get_data(invoice, "lines"):
        if _is_renewal(line, invoice):
            yield _period(line, "end")


def _is_renewal(line: JsonObject, invoice: JsonObject) -> bool:
    details = get_object(get_object(line, "parent"), "subscription_item_details")
    is_proration = details.get("proration") or line.get("proration")
    return invoice.get("billing_reason") in RENEWING_REASONS and not is_proration


def _period(line: JsonObject, end: str) -> datetime:
    found = optional_time(get_object(line, "period"), end)
    if found is None:
        raise UnreadableError(f"period.{end} is not a time")
    return found


def observe_invoice_payment(told: Told) -> tuple[Observation, ...]:
    """Which payment paid an invoice: since 2025-03 nothing else says so."""
    payment = get_object(told.object, "payment")
    objects = payment_objects(
        (required_id(told.object, "invoice"), INVOICE),
        (optional_id(payment, "payment_intent"), INTENT),
        (optional_id(payment, "charge"), CHARGE),
    )
    return (PaymentLinked(objects),) if len(objects) > 1 else ()


def observe_intent(told: Told) -> tuple[Observation, ...]:
    """How far a payment has come. That it succeeded is no credit: what it was made for says so."""
    intent = told.object
    failed = told.event_type in FAILED_INTENTS
    return (
        PaymentProgressed(
            objects=payment_objects(
                (required_id(intent, "id"), INTENT),
                (optional_id(intent, "latest_charge"), CHARGE),
                (optional_id(intent, "invoice"), INVOICE),
            ),
            subscription_id="",
            customer_id=optional_id(intent, "customer"),
            claim=read_claim(intent),
            progress=PaymentProgress.FAILED if failed else PaymentProgress.PENDING,
            provider_time=told.money_time,
            rank=int(failed),
        ),
    )
