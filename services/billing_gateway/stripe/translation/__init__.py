"""From Stripe's events to observations: pure and total, shapes before and after basil alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.billing_gateway.domain.observations import (
    Ignored,
    Observation,
    Observed,
    Translation,
    Unreadable,
)
from services.billing_gateway.reading import UnreadableError
from services.billing_gateway.stripe.body import StripeEvent, parse_event
from services.billing_gateway.stripe.translation.checkouts import STATUS_OF, observe_checkout
from services.billing_gateway.stripe.translation.components import (
    observe_dispute,
    observe_refund,
    observe_refunded_charge,
    observe_warning,
)
from services.billing_gateway.stripe.translation.payments import (
    observe_intent,
    observe_invoice_payment,
    observe_paid_invoice,
)
from services.billing_gateway.stripe.translation.subscriptions import (
    RANKS,
    observe_failed_attempt,
    observe_subscription,
)
from services.billing_gateway.stripe.translation.told import Told

FUTURE_MAX = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class TranslationRules:
    """What the settings say of Stripe's events."""

    livemode: bool
    # Whose early warnings block spending.
    blocking_fraud_types: frozenset[str]


def translate_event(body: bytes, receive_time: datetime, rules: TranslationRules) -> Translation:
    """Return what the event says, why it cannot be read, or that it is no concern of ours."""
    try:
        event = parse_event(body)
        observe = OBSERVERS.get(event.event_type)
        if observe is None:
            return Ignored()
        observations = observe(_told(event, receive_time, rules))
    except ValueError as error:
        return Unreadable(str(error))
    return Observed(observations) if observations else Ignored()


def _told(event: StripeEvent, receive_time: datetime, rules: TranslationRules) -> Told:
    if event.livemode is not rules.livemode:
        mode = "live" if event.livemode else "test"
        raise UnreadableError(f"a {mode} event, which the settings do not expect")
    return Told(
        object=event.object,
        time=event.created if event.created <= receive_time + FUTURE_MAX else None,
        receive_time=receive_time,
        event_id=event.event_id,
        event_type=event.event_type,
        blocking_fraud_types=rules.blocking_fraud_types,
    )


OBSERVERS: Mapping[str, Callable[[Told], tuple[Observation, ...]]] = {
    **dict.fromkeys(RANKS, observe_subscription),
    **dict.fromkeys(STATUS_OF, observe_checkout),
    "invoice.paid": observe_paid_invoice,
    "invoice.payment_failed": observe_failed_attempt,
    "invoice.payment_action_required": observe_failed_attempt,
    "invoice.overdue": observe_failed_attempt,
    "invoice_payment.paid": observe_invoice_payment,
    "payment_intent.created": observe_intent,
    "payment_intent.processing": observe_intent,
    "payment_intent.requires_action": observe_intent,
    "payment_intent.amount_capturable_updated": observe_intent,
    "payment_intent.partially_funded": observe_intent,
    "payment_intent.succeeded": observe_intent,
    "payment_intent.payment_failed": observe_intent,
    "payment_intent.canceled": observe_intent,
    "refund.created": observe_refund,
    "refund.updated": observe_refund,
    "refund.failed": observe_refund,
    "charge.refund.updated": observe_refund,
    "charge.refunded": observe_refunded_charge,
    "charge.dispute.created": observe_dispute,
    "charge.dispute.updated": observe_dispute,
    "charge.dispute.funds_withdrawn": observe_dispute,
    "charge.dispute.funds_reinstated": observe_dispute,
    "charge.dispute.closed": observe_dispute,
    "radar.early_fraud_warning.created": observe_warning,
    "radar.early_fraud_warning.updated": observe_warning,
}
