"""From Stripe's events to observations: pure and total, shapes before and after basil alike.

One credit source for each flow of money: invoice.paid for subscriptions, the Checkout session for
top-ups. Every other event of the same money is a fact about it, never a second credit.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from libs.levels import SubscriptionState
from services.billing_gateway.domain.observations import (
    Claim,
    Ignored,
    Observation,
    Observed,
    PaymentPaid,
    PlanLine,
    SubscriptionClaimed,
    SubscriptionObserved,
    Translation,
    Unreadable,
)
from services.billing_gateway.domain.values import GOOD_STATES, PaymentObject
from services.billing_gateway.stripe.body import (
    JsonObject,
    StripeEvent,
    UnreadableError,
    get_object,
    get_objects,
    optional_id,
    optional_time,
    parse_event,
    required_amount,
    required_currency,
    required_id,
    required_time,
)
from services.billing_gateway.stripe.currencies import to_micros

FUTURE_MAX = timedelta(minutes=5)

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

SUBSCRIPTION_RANKS = {
    "customer.subscription.created": 0,
    "customer.subscription.updated": 1,
    "customer.subscription.deleted": 2,
}
PERIOD_REASONS = ("subscription_create", "subscription_cycle")


def translate_event(body: bytes, receive_time: datetime, *, livemode: bool) -> Translation:
    """Return what the event says, why it cannot be read, or that it is no concern of ours."""
    try:
        event = parse_event(body)
        observe = OBSERVERS.get(event.event_type)
        if observe is None:
            return Ignored()
        _require_believable(event, receive_time, livemode=livemode)
        observation = observe(event)
    except ValueError as error:
        return Unreadable(str(error))
    return Observed((observation,)) if observation is not None else Ignored()


def _require_believable(event: StripeEvent, receive_time: datetime, *, livemode: bool) -> None:
    if event.livemode is not livemode:
        mode = "live" if event.livemode else "test"
        raise UnreadableError(f"a {mode} event, which the settings do not expect")
    if event.created > receive_time + FUTURE_MAX:
        raise UnreadableError("the event's time lies in the future")


def _observe_subscription(event: StripeEvent) -> Observation:
    subscription = event.object
    items = get_objects(subscription, "items")
    rank = SUBSCRIPTION_RANKS[event.event_type]
    state = STATES.get(str(subscription.get("status")), SubscriptionState.SUSPENDED)
    if event.event_type == "customer.subscription.deleted":
        state = SubscriptionState.CANCELED
    period_end = _period_end(subscription, items)
    if state in GOOD_STATES and period_end is None:
        raise UnreadableError("current_period_end is not a time")
    return SubscriptionObserved(
        subscription_id=required_id(subscription, "id"),
        customer_id=optional_id(subscription, "customer"),
        claim=_claim_of(_claimed_organization(subscription)),
        plan_id=_price_id(items[0]) if items else "",
        state=state,
        current_period_end_time=period_end,
        cancel_at_period_end=subscription.get("cancel_at_period_end") is True,
        provider_time=event.created,
        details_time=event.created,
        rank=rank,
    )


def _period_end(subscription: JsonObject, items: list[JsonObject]) -> datetime | None:
    """Since basil each item has a period of its own; what is paid ends with the first of them."""
    ends = [optional_time(each, "current_period_end") for each in (subscription, *items)]
    return min((end for end in ends if end is not None), default=None)


def _observe_invoice(event: StripeEvent) -> Observation | None:
    invoice = event.object
    details = get_object(get_object(invoice, "parent"), "subscription_details")
    subscription_id = optional_id(details, "subscription") or optional_id(invoice, "subscription")
    amount = required_amount(invoice, "amount_paid")
    if not subscription_id or amount == 0:
        return None
    currency_code = required_currency(invoice)
    invoice_id = required_id(invoice, "id")
    return PaymentPaid(
        objects=(PaymentObject(invoice_id, 0),),
        subscription_id=subscription_id,
        customer_id=optional_id(invoice, "customer"),
        checkout_id="",
        claim=_claim_of(
            _claimed_organization(details)
            or _claimed_organization(get_object(invoice, "subscription_details"))
            or _claimed_organization(invoice)
        ),
        lines=_plan_lines(invoice),
        currency_code=currency_code,
        paid_micros=to_micros(amount, currency_code),
        paid_time=event.created,
    )


def _plan_lines(invoice: JsonObject) -> tuple[PlanLine, ...]:
    renews = invoice.get("billing_reason") in PERIOD_REASONS
    return tuple(
        PlanLine(
            plan_id=plan_id,
            renewed_period_start_time=(
                _period_start(line, invoice) if renews and not _is_proration(line) else None
            ),
        )
        for line in get_objects(invoice, "lines")
        if (plan_id := _price_id(line))
    )


def _is_proration(line: JsonObject) -> bool:
    details = get_object(get_object(line, "parent"), "subscription_item_details")
    return bool(details.get("proration") or line.get("proration"))


def _period_start(line: JsonObject, invoice: JsonObject) -> datetime:
    start = optional_time(get_object(line, "period"), "start")
    return start if start is not None else required_time(invoice, "period_start")


def _observe_checkout(event: StripeEvent) -> Observation | None:
    session = event.object
    claimed = optional_id(session, "client_reference_id") or _claimed_organization(session)
    if session.get("mode") == "subscription":
        return _claim_subscription(session, claimed)
    if session.get("mode") != "payment" or session.get("payment_status") != "paid":
        return None
    amount = required_amount(session, "amount_total")
    if amount == 0:
        return None
    currency_code = required_currency(session)
    payment_intent_id = required_id(session, "payment_intent")
    checkout_id = required_id(session, "id")
    return PaymentPaid(
        objects=(PaymentObject(payment_intent_id, 0), PaymentObject(checkout_id, 4)),
        subscription_id="",
        customer_id=optional_id(session, "customer"),
        checkout_id=checkout_id,
        claim=_claim_of(claimed),
        lines=(),
        currency_code=currency_code,
        paid_micros=to_micros(amount, currency_code),
        paid_time=event.created,
    )


def _claim_subscription(session: JsonObject, claimed: str) -> Observation | None:
    subscription_id = optional_id(session, "subscription")
    if not subscription_id or not claimed:
        return None
    return SubscriptionClaimed(
        subscription_id,
        optional_id(session, "customer"),
        required_id(session, "id"),
        Claim(claimed),
    )


def _claim_of(organization_id: str) -> Claim | None:
    return Claim(organization_id) if organization_id else None


def _claimed_organization(value: JsonObject) -> str:
    return optional_id(get_object(value, "metadata"), "organization_id")


def _price_id(item: JsonObject) -> str:
    """A subscription's item, or an invoice's line in its new and its old shape."""
    pricing = get_object(get_object(item, "pricing"), "price_details")
    return optional_id(pricing, "price") or optional_id(item, "price") or optional_id(item, "plan")


OBSERVERS: Mapping[str, Callable[[StripeEvent], Observation | None]] = {
    "customer.subscription.created": _observe_subscription,
    "customer.subscription.updated": _observe_subscription,
    "customer.subscription.deleted": _observe_subscription,
    "invoice.paid": _observe_invoice,
    "checkout.session.completed": _observe_checkout,
    "checkout.session.async_payment_succeeded": _observe_checkout,
}
