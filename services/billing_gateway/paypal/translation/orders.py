"""What PayPal tells of orders: how a top-up's checkout stands. It is never a credit."""

from datetime import datetime

from services.billing_gateway.domain.observations import CheckoutObserved, Claim, Observation
from services.billing_gateway.domain.values import CheckoutState, PaymentProgress
from services.billing_gateway.paypal.amounts import Money, read_money
from services.billing_gateway.paypal.body import PayPalEvent, first_id, read_claim, read_status
from services.billing_gateway.paypal.translation.components import read_refund, read_refund_state
from services.billing_gateway.paypal.translation.payments import read_capture, read_progress
from services.billing_gateway.reading import (
    JsonObject,
    UnreadableError,
    get_list,
    get_object,
    required_id,
)

STATES = {
    "CREATED": CheckoutState.OPEN,
    "SAVED": CheckoutState.OPEN,
    "PAYER_ACTION_REQUIRED": CheckoutState.OPEN,
    "APPROVED": CheckoutState.APPROVED,
    "VOIDED": CheckoutState.FAILED,
}


def observe_approval(event: PayPalEvent) -> tuple[Observation, ...]:
    """Return what an event says of an order that its customer approved."""
    order = event.resource
    completed = read_status(order) == "COMPLETED"
    return (_checkout(order, _state(order) if completed else CheckoutState.APPROVED),)


def observe_revoked_approval(event: PayPalEvent) -> tuple[Observation, ...]:
    """Return what an event says of an order whose approval ended before its money was taken."""
    order_id = first_id(event.resource, ["order_id", "id"])
    if not order_id:
        raise UnreadableError("the event names no order")
    return (CheckoutObserved(order_id, CheckoutState.FAILED, _claim(event.resource)),)


def read_order(order: JsonObject, answer_time: datetime) -> tuple[Observation, ...]:
    """Return what an order says that was asked for: how it stands, and what was paid by it."""
    order_id = required_id(order, "id")
    observations: list[Observation] = [_checkout(order, _state(order))]
    of_order = {"supplementary_data": {"related_ids": {"order_id": order_id}}}
    for unit in get_list(order, "purchase_units"):
        payments = get_object(unit, "payments")
        for capture in get_list(payments, "captures"):
            whole = {
                **capture,
                **of_order,
                "custom_id": unit.get("custom_id", capture.get("custom_id")),
            }
            observations.extend(read_capture(whole, read_progress(capture), answer_time))
        observations.extend(
            read_refund(refund, read_refund_state(refund), answer_time, "")
            for refund in get_list(payments, "refunds")
        )
    return tuple(observations)


def _checkout(order: JsonObject, state: CheckoutState) -> CheckoutObserved:
    money = _amount(order)
    return CheckoutObserved(
        checkout_id=required_id(order, "id"),
        state=state,
        claim=_claim(order),
        amount_micros=money.micros if money else None,
        currency_code=money.currency_code if money else "",
    )


def _state(order: JsonObject) -> CheckoutState:
    """An order that is completed is as far as its captures are."""
    status = read_status(order)
    if status != "COMPLETED":
        return STATES.get(status, CheckoutState.OPEN)
    progresses = {
        read_progress(capture)
        for unit in get_list(order, "purchase_units")
        for capture in get_list(get_object(unit, "payments"), "captures")
    }
    if not progresses or None in progresses:
        return CheckoutState.COMPLETED
    pending = PaymentProgress.PENDING in progresses
    return CheckoutState.PENDING if pending else CheckoutState.FAILED


def _only_unit(order: JsonObject) -> JsonObject:
    """Return the one purchase of an order; ours have one, and of others none is asked for."""
    units = get_list(order, "purchase_units")
    return units[0] if len(units) == 1 else {}


def _claim(order: JsonObject) -> Claim | None:
    return read_claim(_only_unit(order))


def _amount(order: JsonObject) -> Money | None:
    """Return what is to be paid; an order in another's currency is no trouble of ours."""
    try:
        return read_money(_only_unit(order), "amount")
    except UnreadableError:
        return None
