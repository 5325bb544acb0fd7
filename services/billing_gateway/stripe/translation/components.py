"""What Stripe tells of refunds, disputes and early warnings of fraud."""

from collections.abc import Mapping

from services.billing_gateway.domain.observations import (
    ComponentObserved,
    Observation,
    RefundedInAll,
)
from services.billing_gateway.domain.values import Component, ComponentKind, ComponentState
from services.billing_gateway.reading import (
    JsonObject,
    UnreadableError,
    get_list,
    optional_id,
    optional_word,
    required_id,
)
from services.billing_gateway.stripe.body import required_money
from services.billing_gateway.stripe.translation.told import (
    CHARGE,
    INTENT,
    INVOICE,
    Told,
    payment_objects,
)

WITHDRAWN = "charge.dispute.funds_withdrawn"
REINSTATED = "charge.dispute.funds_reinstated"

# Of one second: which comes later.
RANKS: Mapping[str, int] = {
    "charge.dispute.created": 0,
    "charge.dispute.updated": 1,
    WITHDRAWN: 2,
    REINSTATED: 3,
    "charge.dispute.closed": 4,
    "refund.created": 0,
    "refund.updated": 1,
    "charge.refund.updated": 1,
    "refund.failed": 2,
    "radar.early_fraud_warning.created": 0,
    "radar.early_fraud_warning.updated": 1,
}
REFUND_STATES = {
    "pending": ComponentState.PENDING,
    "requires_action": ComponentState.PENDING,
    "succeeded": ComponentState.SUCCEEDED,
    "failed": ComponentState.FAILED,
    "canceled": ComponentState.FAILED,
}
# Every other dispute is open: its money may go, if it has not gone yet.
CLOSED_DISPUTE_STATES = {
    "won": ComponentState.WON,
    "lost": ComponentState.LOST,
    "warning_closed": ComponentState.ENDED,
    "prevented": ComponentState.ENDED,
}


def observe_refund(told: Told) -> tuple[Observation, ...]:
    """Each refund is a component of its own."""
    refund = told.object
    state = REFUND_STATES.get(optional_word(refund, "status"))
    if state is None:
        raise UnreadableError("the refund is in no state that Tollgate knows")
    amount_micros, currency_code = required_money(refund, "amount")
    return _component(told, ComponentKind.REFUND, state, amount_micros, currency_code)


def observe_refunded_charge(told: Told) -> tuple[Observation, ...]:
    """A charge's running total; accounts from before 2024-10 tell of no other refunds."""
    amount_micros, currency_code = required_money(told.object, "amount_refunded")
    charge = told.object
    objects = payment_objects(
        (required_id(charge, "id"), CHARGE),
        (optional_id(charge, "payment_intent"), INTENT),
        # Named until 2025-03.
        (optional_id(charge, "invoice"), INVOICE),
    )
    return (RefundedInAll(objects, amount_micros, currency_code, told.money_time),)


def observe_dispute(told: Told) -> tuple[Observation, ...]:
    """How a dispute stands, and how often its money was taken out and put back."""
    dispute = told.object
    state = CLOSED_DISPUTE_STATES.get(optional_word(dispute, "status"), ComponentState.OPEN)
    amount_micros, currency_code = required_money(dispute, "amount")
    amounts = [_amount(each) for each in get_list(dispute, "balance_transactions")]
    return _component(
        told,
        ComponentKind.DISPUTE,
        state,
        amount_micros,
        currency_code,
        withdrawal_count=max(
            sum(amount < 0 for amount in amounts), int(told.event_type == WITHDRAWN)
        ),
        reinstatement_count=max(
            sum(amount > 0 for amount in amounts), int(told.event_type == REINSTATED)
        ),
    )


def _amount(transaction: JsonObject) -> int:
    found = transaction.get("amount")
    if type(found) is not int:
        raise UnreadableError("a balance transaction's amount is not a whole amount")
    return found


def observe_warning(told: Told) -> tuple[Observation, ...]:
    """A card's issuer suspects fraud; no money has moved.

    That it is not actionable any more ends nothing: Stripe says so as soon as it is disputed.
    """
    fraud_type = optional_word(told.object, "fraud_type")
    blocks = fraud_type in told.blocking_fraud_types
    return _component(told, ComponentKind.WARNING, ComponentState.OPEN, blocks_spending=blocks)


def _component(
    told: Told,
    kind: ComponentKind,
    state: ComponentState,
    amount_micros: int = 0,
    currency_code: str = "",
    *,
    withdrawal_count: int = 0,
    reinstatement_count: int = 0,
    blocks_spending: bool = False,
) -> tuple[Observation, ...]:
    component = Component(
        component_id=required_id(told.object, "id"),
        kind=kind,
        state=state,
        amount_micros=amount_micros,
        currency_code=currency_code,
        provider_time=told.time,
        rank=RANKS[told.event_type],
        withdrawal_count=withdrawal_count,
        reinstatement_count=reinstatement_count,
        blocks_spending=blocks_spending,
        event_id=told.event_id,
    )
    objects = payment_objects(
        (optional_id(told.object, "payment_intent"), INTENT),
        (optional_id(told.object, "charge"), CHARGE),
    )
    # What is of no payment, such as a refund of a customer's balance, is no concern of ours.
    return (ComponentObserved(objects, component),) if objects else ()
