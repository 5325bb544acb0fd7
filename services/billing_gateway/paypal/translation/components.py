"""What PayPal tells of payments that do not stay: refunds, reversals and disputes."""

from collections.abc import Callable
from datetime import datetime, timedelta

from services.billing_gateway.domain.observations import ComponentObserved, Observation
from services.billing_gateway.domain.values import (
    Component,
    ComponentKind,
    ComponentState,
    PaymentObject,
)
from services.billing_gateway.paypal.amounts import read_money
from services.billing_gateway.paypal.body import PayPalEvent, first_id, linked_id, read_status
from services.billing_gateway.paypal.times import first_time
from services.billing_gateway.reading import (
    JsonObject,
    UnreadableError,
    get_list,
    get_object,
    optional_id,
    required_id,
)

PAYMENT_RANK = 0
DISPUTED_RANK = 1
# What only may be the payment, or belongs to one that is not named.
UNSURE_RANK = 9

# A state that is not listed has taken the money.
REFUND_STATES = {
    "PENDING": ComponentState.PENDING,
    "FAILED": ComponentState.FAILED,
    "CANCELLED": ComponentState.FAILED,
}
DISPUTE_RANKS = {
    "CUSTOMER.DISPUTE.CREATED": 0,
    "CUSTOMER.DISPUTE.UPDATED": 1,
    "CUSTOMER.DISPUTE.RESOLVED": 2,
}
RESOLVED = "CUSTOMER.DISPUTE.RESOLVED"
OUTCOMES_FOR_US = ("RESOLVED_SELLER_FAVOUR", "CANCELED_BY_BUYER", "DENIED")
OUTCOMES_AGAINST_US = ("RESOLVED_BUYER_FAVOUR", "RESOLVED_WITH_PAYOUT", "ACCEPTED")
REASONS_THAT_BLOCK = ("UNAUTHORISED", "UNAUTHORIZED")
# What was decided against us is taken by a reversal or a refund of its own.
MONEY_FOLLOWS_WITHIN = timedelta(hours=24)

Observe = Callable[[PayPalEvent], tuple[Observation, ...]]


def observe_refund(state: ComponentState | None) -> Observe:
    """Return what reads an event of a refund; a state that the event's type does not tell: None."""

    def observe(event: PayPalEvent) -> tuple[Observation, ...]:
        told = state or read_refund_state(event.resource)
        return (read_refund(event.resource, told, event.time, event.event_id),)

    return observe


def read_refund_state(refund: JsonObject) -> ComponentState:
    """Return how a refund stands."""
    return REFUND_STATES.get(read_status(refund), ComponentState.SUCCEEDED)


def read_refund(
    refund: JsonObject, state: ComponentState, told_time: datetime, event_id: str
) -> ComponentObserved:
    """Return what a refund says."""
    return _component(refund, ComponentKind.REFUND, state, told_time, event_id)


def observe_reversal(event: PayPalEvent) -> tuple[Observation, ...]:
    """Return what an event says of money that PayPal took back.

    Its object is the reversal; in old shapes it may be the sale itself, which cannot be told apart.
    """
    reversal = event.resource
    kind, state = ComponentKind.REVERSAL, ComponentState.SUCCEEDED
    return (_component(reversal, kind, state, event.time, event.event_id),)


def refunded_id(refund: JsonObject) -> str:
    """Return the payment that a refund or reversal takes from; empty if it does not say."""
    return linked_id(refund, "up", "captures") or first_id(refund, ["capture_id", "sale_id"])


def _component(
    part: JsonObject,
    kind: ComponentKind,
    state: ComponentState,
    told_time: datetime,
    event_id: str,
) -> ComponentObserved:
    money = read_money(part, "amount")
    component_id = required_id(part, "id")
    payment_id = refunded_id(part)
    taken_from = (
        PaymentObject(payment_id, PAYMENT_RANK)
        if payment_id
        else PaymentObject(component_id, UNSURE_RANK)
    )
    component = Component(
        component_id=component_id,
        kind=kind,
        state=state,
        amount_micros=money.size,
        currency_code=money.currency_code,
        provider_time=first_time(part, ["update_time", "create_time"]) or told_time,
        rank=0,
        event_id=event_id,
    )
    return ComponentObserved((taken_from,), component)


def observe_dispute(event: PayPalEvent) -> tuple[Observation, ...]:
    """Return what an event says of a dispute, for each payment that it is about."""
    dispute = event.resource
    component = _read_dispute(event, dispute)
    transactions = get_list(dispute, "disputed_transactions")
    disputed = [optional_id(each, "seller_transaction_id") for each in transactions]
    observations = tuple(
        ComponentObserved((PaymentObject(object_id, DISPUTED_RANK),), component)
        for object_id in dict.fromkeys(filter(None, disputed))
    )
    if not observations:
        raise UnreadableError("the dispute names no payment")
    return observations


def _read_dispute(event: PayPalEvent, dispute: JsonObject) -> Component:
    money = read_money(dispute, "dispute_amount")
    time = first_time(dispute, ["update_time", "create_time"]) or event.time
    outcome = get_object(dispute, "dispute_outcome").get("outcome_code")
    over = event.event_type == RESOLVED or dispute.get("status") == "RESOLVED"
    against_us = over and outcome in OUTCOMES_AGAINST_US
    return Component(
        component_id=required_id(dispute, "dispute_id"),
        kind=ComponentKind.DISPUTE,
        state=_dispute_state(outcome) if over else ComponentState.OPEN,
        amount_micros=money.size,
        currency_code=money.currency_code,
        provider_time=time,
        rank=DISPUTE_RANKS[event.event_type],
        blocks_spending=not over and dispute.get("reason") in REASONS_THAT_BLOCK,
        money_due_time=time + MONEY_FOLLOWS_WITHIN if against_us else None,
        event_id=event.event_id,
    )


def _dispute_state(outcome: object) -> ComponentState:
    """Lost, it ends as well: the money is taken by something of its own, and only once."""
    return ComponentState.WON if outcome in OUTCOMES_FOR_US else ComponentState.ENDED
