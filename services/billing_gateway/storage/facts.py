"""What was ever told of subscriptions. Facts are added and confirmed, never changed."""

from datetime import datetime

from libs.database import Connection, Record
from libs.levels import SubscriptionState
from services.billing_gateway.domain.facts import FactKind, SubscriptionFact
from services.billing_gateway.domain.values import Provider

LIST = "SELECT * FROM subscription_facts WHERE provider = $1 AND subscription_id = $2"


async def list_of_subscription(
    connection: Connection, provider: Provider, subscription_id: str
) -> list[SubscriptionFact]:
    """Return everything that was told of a subscription."""
    rows = await connection.fetch(LIST, provider, subscription_id)
    return [_to_fact(row) for row in rows]


INSERT = """
INSERT INTO subscription_facts (
    provider, subscription_id, source_id, kind, provider_time, rank, moves_state, state,
    details_time, plan_id, customer_id, period_end_time, cancel_at_period_end, confirmed_time
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""


async def insert(
    connection: Connection, provider: Provider, subscription_id: str, fact: SubscriptionFact
) -> None:
    """Write a new fact of a subscription that has a row."""
    await connection.execute(
        INSERT,
        provider,
        subscription_id,
        fact.source_id,
        fact.kind,
        fact.provider_time,
        fact.rank,
        fact.moves_state,
        fact.state,
        fact.details_time,
        fact.plan_id,
        fact.customer_id,
        fact.period_end_time,
        fact.cancel_at_period_end,
        fact.confirmed_time,
    )


CONFIRM = """
UPDATE subscription_facts SET confirmed_time = greatest(confirmed_time, $4)
WHERE provider = $1 AND subscription_id = $2 AND source_id = $3 AND kind = 'STATE'
"""


async def confirm(
    connection: Connection, provider: Provider, subscription_id: str, source_id: str, time: datetime
) -> None:
    """Note that the provider, asked, repeated a state."""
    await connection.execute(CONFIRM, provider, subscription_id, source_id, time)


def _to_fact(row: Record) -> SubscriptionFact:
    return SubscriptionFact(
        source_id=row["source_id"],
        kind=FactKind(row["kind"]),
        provider_time=row["provider_time"],
        rank=row["rank"],
        moves_state=row["moves_state"],
        state=SubscriptionState(row["state"]) if row["state"] else None,
        details_time=row["details_time"],
        plan_id=row["plan_id"],
        customer_id=row["customer_id"],
        period_end_time=row["period_end_time"],
        cancel_at_period_end=row["cancel_at_period_end"],
        confirmed_time=row["confirmed_time"],
    )
