"""Refunds, disputes, reversals and warnings of payments."""

from collections.abc import Sequence

from libs.database import Connection, Record
from services.billing_gateway.domain.values import (
    Component,
    ComponentKind,
    ComponentState,
    Provider,
)

LIST = """
SELECT * FROM payment_components
WHERE provider = $1 AND payment_id = ANY ($2::text[])
ORDER BY component_id
"""


async def list_of_payments(
    connection: Connection, provider: Provider, payment_ids: Sequence[str]
) -> dict[str, list[Component]]:
    """Return the components of payments, by the payment; each in the order of their ids."""
    found: dict[str, list[Component]] = {payment_id: [] for payment_id in payment_ids}
    for row in await connection.fetch(LIST, provider, payment_ids):
        found[row["payment_id"]].append(_to_component(row))
    return found


SAVE = """
INSERT INTO payment_components (
    provider, payment_id, component_id, kind, state, amount_micros, currency_code, provider_time,
    rank, withdrawal_count, reinstatement_count, blocks_spending, money_due_time, event_id
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (provider, payment_id, component_id) DO UPDATE
SET kind = EXCLUDED.kind, state = EXCLUDED.state, amount_micros = EXCLUDED.amount_micros,
    currency_code = EXCLUDED.currency_code, provider_time = EXCLUDED.provider_time,
    rank = EXCLUDED.rank, withdrawal_count = EXCLUDED.withdrawal_count,
    reinstatement_count = EXCLUDED.reinstatement_count,
    blocks_spending = EXCLUDED.blocks_spending, money_due_time = EXCLUDED.money_due_time,
    event_id = EXCLUDED.event_id, update_time = now()
"""


async def save(
    connection: Connection, provider: Provider, payment_id: str, changed: Sequence[Component]
) -> None:
    """Write components, as joined, of a payment that is locked."""
    await connection.executemany(
        SAVE,
        [
            (
                provider,
                payment_id,
                each.component_id,
                each.kind,
                each.state,
                each.amount_micros,
                each.currency_code,
                each.provider_time,
                each.rank,
                each.withdrawal_count,
                each.reinstatement_count,
                each.blocks_spending,
                each.money_due_time,
                each.event_id,
            )
            for each in changed
        ],
    )


LIST_WITHOUT_MONEY = """
SELECT component_id FROM payment_components AS dispute
WHERE money_due_time < now() AND kind = 'DISPUTE' AND amount_micros > (
    SELECT coalesce(sum(amount_micros), 0) FROM payment_components
    WHERE provider = dispute.provider AND payment_id = dispute.payment_id
      AND kind IN ('REFUND', 'REVERSAL') AND state = 'SUCCEEDED'
)
ORDER BY money_due_time
LIMIT $1
"""


async def list_disputes_without_money(connection: Connection, limit: int) -> list[str]:
    """Return the ids of disputes that ended against us and moved no money in time."""
    rows = await connection.fetch(LIST_WITHOUT_MONEY, limit)
    return [row["component_id"] for row in rows]


def _to_component(row: Record) -> Component:
    return Component(
        component_id=row["component_id"],
        kind=ComponentKind(row["kind"]),
        state=ComponentState(row["state"]),
        amount_micros=row["amount_micros"],
        currency_code=row["currency_code"],
        provider_time=row["provider_time"],
        rank=row["rank"],
        withdrawal_count=row["withdrawal_count"],
        reinstatement_count=row["reinstatement_count"],
        blocks_spending=row["blocks_spending"],
        money_due_time=row["money_due_time"],
        event_id=row["event_id"],
    )
