"""What PayPal's answers say, by the readers that its events are read by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.billing_gateway.domain.observations import (
    CheckoutObserved,
    Observation,
    PaymentLinked,
)
from services.billing_gateway.domain.values import CheckoutState, PaymentObject
from services.billing_gateway.paypal.body import read_claim, read_status
from services.billing_gateway.paypal.http_client import HttpAnswer
from services.billing_gateway.paypal.translation.components import (
    PAYMENT_RANK,
    UNSURE_RANK,
    read_refund,
    read_refund_state,
    refunded_id,
)
from services.billing_gateway.paypal.translation.subscriptions import read_subscription
from services.billing_gateway.ports import Answer, ProviderUnavailableError
from services.billing_gateway.reading import JsonObject, UnreadableError, required_id

Read = Callable[[JsonObject, datetime], Sequence[Observation]]

# Any other state is one after the approval.
SUBSCRIPTION_CHECKOUTS = {
    "APPROVAL_PENDING": CheckoutState.OPEN,
    "APPROVED": CheckoutState.PENDING,
    "CANCELLED": CheckoutState.FAILED,
    "EXPIRED": CheckoutState.FAILED,
}


def to_answer(answer: HttpAnswer, read: Read) -> Answer:
    """Return what an answer says; raise ProviderUnavailableError if it makes no sense."""
    try:
        return Answer(tuple(read(answer.body, answer.time)), answer.time)
    except UnreadableError as error:
        raise ProviderUnavailableError(f"an answer that cannot be read: {error}") from error


def read_subscription_checkout(
    subscription: JsonObject, answer_time: datetime
) -> tuple[Observation, ...]:
    """Return how the checkout stands that made a subscription, and the subscription itself."""
    state = SUBSCRIPTION_CHECKOUTS.get(read_status(subscription), CheckoutState.COMPLETED)
    subscription_id, claim = required_id(subscription, "id"), read_claim(subscription)
    checkout = CheckoutObserved(subscription_id, state, claim)
    return (checkout, *read_subscription(subscription, answer_time))


@dataclass(frozen=True, slots=True)
class Folder:
    """Where objects of one kind lie, and how they are read."""

    call: str
    path: str
    read: Read


def _tell_nothing(_payment: JsonObject, _answer_time: datetime) -> tuple[Observation, ...]:
    """Tell nothing of a payment: that comes with its own event, or never concerned Tollgate.

    What was paid for a subscription before it was linked has been credited elsewhere.
    """
    return ()


def _refund(refund: JsonObject, answer_time: datetime) -> tuple[Observation, ...]:
    """Return what a refund says: above all, of which payment it is."""
    told = read_refund(refund, read_refund_state(refund), answer_time, "")
    payment_id = refunded_id(refund)
    if not payment_id:
        return (told,)
    refund_object = PaymentObject(required_id(refund, "id"), UNSURE_RANK)
    return PaymentLinked((PaymentObject(payment_id, PAYMENT_RANK), refund_object)), told


# An id does not tell what it is of; what is asked about mostly lies in the first.
FOLDERS = (
    Folder("get_capture", "/v2/payments/captures", _tell_nothing),
    Folder("get_refund", "/v2/payments/refunds", _refund),
    Folder("get_sale", "/v1/payments/sale", _tell_nothing),
    Folder("get_sale_refund", "/v1/payments/refund", _refund),
)
