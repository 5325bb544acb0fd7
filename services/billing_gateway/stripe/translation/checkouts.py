"""What Stripe tells of Checkout sessions: the one credit source of a top-up's money."""

from services.billing_gateway.domain.observations import (
    CheckoutObserved,
    Claim,
    Observation,
    PaymentPaid,
    PaymentProgressed,
    SubscriptionClaimed,
)
from services.billing_gateway.domain.values import CheckoutState, PaymentProgress
from services.billing_gateway.reading import (
    get_object,
    optional_id,
    optional_word,
    required_id,
)
from services.billing_gateway.stripe.body import required_money
from services.billing_gateway.stripe.claims import read_claim
from services.billing_gateway.stripe.translation.told import (
    CHECKOUT,
    INTENT,
    INVOICE,
    NAMING,
    Told,
    payment_objects,
)

# What an event says by its name alone; a session of old has no status of its own.
STATUS_OF = {
    "checkout.session.completed": "complete",
    "checkout.session.async_payment_succeeded": "complete",
    "checkout.session.async_payment_failed": "failed",
    "checkout.session.expired": "expired",
}
SETTLED = ("paid", "no_payment_required")
FAILED = ("failed", "expired")
# An answer has the intent in full: its customer must pay anew, or it was given up.
FAILED_INTENTS = ("requires_payment_method", "canceled")


def observe_checkout(told: Told) -> tuple[Observation, ...]:
    """How a session stands, by an event or by an answer, and what was paid by it."""
    session = told.object
    claim = read_claim(session, reference=optional_id(session, "client_reference_id"))
    match session.get("mode"):
        case "subscription":
            return _observe_subscribing(told, claim)
        case "payment":
            return _observe_top_up(told, claim)
        case _:
            return ()


def _observe_subscribing(told: Told, claim: Claim | None) -> tuple[Observation, ...]:
    session = told.object
    checkout_id, subscription_id = required_id(session, "id"), optional_id(session, "subscription")
    # Whether it is paid the subscription says.
    is_made = _status(told) not in ("open", "expired")
    state = CheckoutState.COMPLETED if is_made else _unpaid_state(told)
    observed = CheckoutObserved(checkout_id, state, claim)
    if not subscription_id:
        return (observed,)
    customer_id = optional_id(session, "customer")
    claimed = SubscriptionClaimed(subscription_id, customer_id, checkout_id, claim)
    return (claimed, observed)


def _observe_top_up(told: Told, claim: Claim | None) -> tuple[Observation, ...]:
    session = told.object
    amount_micros, currency_code = required_money(session, "amount_total")
    is_settled = session.get("payment_status") in SETTLED
    state = CheckoutState.COMPLETED if is_settled else _unpaid_state(told)
    observed = CheckoutObserved(
        required_id(session, "id"), state, claim, amount_micros, currency_code
    )
    if session.get("payment_status") == "paid" and amount_micros:
        return (_payment(told, claim, amount_micros, currency_code), observed)
    if is_settled or not optional_id(session, "payment_intent"):
        return (observed,)
    return (_progress(told, claim, has_failed=state is CheckoutState.FAILED), observed)


def _payment(told: Told, claim: Claim | None, paid_micros: int, currency_code: str) -> PaymentPaid:
    session = told.object
    checkout_id = required_id(session, "id")
    return PaymentPaid(
        objects=payment_objects(
            (required_id(session, "payment_intent"), NAMING),
            (checkout_id, CHECKOUT),
            (optional_id(session, "invoice"), INVOICE),
        ),
        subscription_id="",
        customer_id=optional_id(session, "customer"),
        checkout_id=checkout_id,
        claim=claim,
        lines=(),
        currency_code=currency_code,
        paid_micros=paid_micros,
        paid_time=told.money_time,
    )


def _progress(told: Told, claim: Claim | None, *, has_failed: bool) -> PaymentProgressed:
    session = told.object
    return PaymentProgressed(
        objects=payment_objects(
            (optional_id(session, "payment_intent"), INTENT),
            (required_id(session, "id"), CHECKOUT),
        ),
        subscription_id="",
        customer_id=optional_id(session, "customer"),
        claim=claim,
        progress=PaymentProgress.FAILED if has_failed else PaymentProgress.PENDING,
        provider_time=told.money_time,
        rank=int(has_failed),
    )


def _unpaid_state(told: Told) -> CheckoutState:
    status = _status(told)
    if status == "open":
        return CheckoutState.OPEN
    intent = get_object(told.object, "payment_intent")
    if status in FAILED or intent.get("status") in FAILED_INTENTS:
        return CheckoutState.FAILED
    return CheckoutState.PENDING


def _status(told: Told) -> str:
    return STATUS_OF.get(told.event_type) or optional_word(told.object, "status")
