"""From PayPal's events to observations: pure and total, v1 and v2 alike."""

from collections.abc import Callable, Mapping
from datetime import datetime

from services.billing_gateway.domain.observations import (
    Ignored,
    Observation,
    Observed,
    Translation,
    Unreadable,
)
from services.billing_gateway.domain.values import ComponentState, PaymentProgress
from services.billing_gateway.paypal.body import PayPalEvent, parse_event, read_address
from services.billing_gateway.paypal.environment import ADDRESSES, Environment
from services.billing_gateway.paypal.translation.components import (
    DISPUTE_RANKS,
    observe_dispute,
    observe_refund,
    observe_reversal,
)
from services.billing_gateway.paypal.translation.orders import (
    observe_approval,
    observe_revoked_approval,
)
from services.billing_gateway.paypal.translation.payments import observe_capture, observe_sale
from services.billing_gateway.paypal.translation.subscriptions import RANKS, observe_subscription
from services.billing_gateway.reading import UnreadableError

OBSERVERS: Mapping[str, Callable[[PayPalEvent], tuple[Observation, ...]]] = {
    **dict.fromkeys(RANKS, observe_subscription),
    "PAYMENT.SALE.COMPLETED": observe_sale(None),
    "PAYMENT.SALE.PENDING": observe_sale(PaymentProgress.PENDING),
    "PAYMENT.SALE.DENIED": observe_sale(PaymentProgress.FAILED),
    "PAYMENT.SALE.REFUNDED": observe_refund(None),
    "PAYMENT.SALE.REVERSED": observe_reversal,
    "PAYMENT.CAPTURE.COMPLETED": observe_capture(None),
    "PAYMENT.CAPTURE.PENDING": observe_capture(PaymentProgress.PENDING),
    "PAYMENT.CAPTURE.DECLINED": observe_capture(PaymentProgress.FAILED),
    "PAYMENT.CAPTURE.DENIED": observe_capture(PaymentProgress.FAILED),
    "PAYMENT.CAPTURE.REFUNDED": observe_refund(None),
    "PAYMENT.CAPTURE.REVERSED": observe_reversal,
    "PAYMENT.REFUND.PENDING": observe_refund(ComponentState.PENDING),
    "PAYMENT.REFUND.FAILED": observe_refund(ComponentState.FAILED),
    **dict.fromkeys(DISPUTE_RANKS, observe_dispute),
    "CHECKOUT.ORDER.APPROVED": observe_approval,
    "CHECKOUT.PAYMENT-APPROVAL.REVERSED": observe_revoked_approval,
}


def translate_event(body: bytes, receive_time: datetime, environment: Environment) -> Translation:
    """Return what the event says, why it cannot be read, or that it is no concern of ours."""
    try:
        event = parse_event(body, receive_time)
        observe = OBSERVERS.get(event.event_type)
        if observe is None:
            return Ignored()
        _require_this_world(event, environment)
        observations = observe(event)
    except UnreadableError as error:
        return Unreadable(str(error))
    return Observed(observations) if observations else Ignored()


def _require_this_world(event: PayPalEvent, environment: Environment) -> None:
    if environment is Environment.LIVE:
        sandbox = ADDRESSES[Environment.SANDBOX].certificate_hosts
        for link in event.links:
            if any(f"//{host}/" in read_address(link) for host in sandbox):
                raise UnreadableError("a test event, which the settings do not expect")
