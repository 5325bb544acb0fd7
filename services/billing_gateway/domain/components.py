"""What was told of one refund, dispute, reversal or warning, joined in any order."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeAlias

from services.billing_gateway.domain.values import Component, ComponentKind, ComponentState

LONG_AGO = datetime.min.replace(tzinfo=UTC)

# A refund that failed has its money back for good; a warning that ended does not come back.
PROGRESS = (
    ComponentState.PENDING,
    ComponentState.OPEN,
    ComponentState.SUCCEEDED,
    ComponentState.WON,
    ComponentState.LOST,
    ComponentState.ENDED,
    ComponentState.FAILED,
)
# Of two contradictions at one instant the one that takes more is believed.
RESTRICTIVENESS = (
    ComponentState.FAILED,
    ComponentState.WON,
    ComponentState.ENDED,
    ComponentState.PENDING,
    ComponentState.SUCCEEDED,
    ComponentState.OPEN,
    ComponentState.LOST,
)

Key: TypeAlias = tuple[str | int | datetime, ...]


def join(known: Component | None, told: Component) -> Component:
    """Return what both say together: commutative, associative, idempotent.

    Whether a dispute's money was taken out follows from how often it was, not from what was told
    last: providers tell the two in either order.
    """
    if known is None:
        return told
    return replace(
        max(known, told, key=_content_key),
        withdrawal_count=max(known.withdrawal_count, told.withdrawal_count),
        reinstatement_count=max(known.reinstatement_count, told.reinstatement_count),
    )


def _content_key(component: Component) -> Key:
    """Everything but the counts, so that what is equal by it is the same."""
    newest: Key = (component.provider_time or LONG_AGO, component.rank)
    state, amount_micros = component.state, component.amount_micros
    if component.kind is ComponentKind.DISPUTE:
        place: Key = (*newest, RESTRICTIVENESS.index(state), amount_micros)
    else:
        place = (PROGRESS.index(state), amount_micros, *newest)
    return (
        component.kind,
        *place,
        component.currency_code,
        component.blocks_spending,
        component.money_due_time or LONG_AGO,
        component.event_id,
    )
