"""Payments, and how far the wallet has taken them."""

from datetime import datetime

from libs.announcing.ports import CurrentLevel, LevelKey
from libs.database import Connection, Record
from services.billing_gateway.domain.values import Payment, PaymentStanding, PaymentState, Provider

FIND = "SELECT * FROM payments WHERE provider = $1 AND payment_id = $2"


async def find(connection: Connection, provider: Provider, payment_id: str) -> Payment | None:
    """Return a payment."""
    row = await connection.fetchrow(FIND, provider, payment_id)
    return _to_payment(row) if row else None


INSERT = """
INSERT INTO payments (
    provider, payment_id, organization_id, subscription_id, plan_id, currency_code, paid_micros,
    credited_micros, allowance_period_start_time, paid_time, state, revision, event_ids, create_time
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""


async def insert(connection: Connection, payment: Payment) -> None:
    """Write a payment that was not known, of an organization that is locked."""
    await connection.execute(
        INSERT,
        payment.provider,
        payment.payment_id,
        payment.organization_id,
        payment.subscription_id,
        payment.plan_id,
        payment.currency_code,
        payment.paid_micros,
        payment.credited_micros,
        payment.allowance_period_start_time,
        payment.paid_time,
        payment.state,
        payment.revision,
        list(payment.event_ids),
        payment.create_time,
    )


ADD_EVENT = """
UPDATE payments SET event_ids = event_ids || $3::text
WHERE provider = $1 AND payment_id = $2 AND NOT $3::text = ANY (event_ids)
"""


async def add_event(connection: Connection, payment: Payment, event_id: str) -> None:
    """Note one more event that told of the payment."""
    await connection.execute(ADD_EVENT, payment.provider, payment.payment_id, event_id)


IS_ALLOWANCE_TAKEN = """
SELECT EXISTS (
    SELECT FROM payments
    WHERE provider = $1 AND subscription_id = $2 AND allowance_period_start_time = $3
)
"""


async def is_allowance_taken(
    connection: Connection, provider: Provider, subscription_id: str, period_start: datetime
) -> bool:
    """Tell whether a payment has had the allowance of this subscription's period."""
    taken: bool = await connection.fetchval(
        IS_ALLOWANCE_TAKEN, provider, subscription_id, period_start
    )
    return taken


FIND_BY_KEY = "SELECT * FROM payments WHERE organization_id = $1 AND payment_id = $2"


async def find_by_key(connection: Connection, key: LevelKey) -> Payment | None:
    """Return the payment whose level has this key."""
    row = await connection.fetchrow(FIND_BY_KEY, key.organization_id, key.key)
    return _to_payment(row) if row else None


LIFT_REVISION = """
UPDATE payments SET revision = $4
WHERE organization_id = $1 AND payment_id = $2 AND revision <= $3
"""


async def lift_revision(connection: Connection, key: LevelKey, from_at_most: int, to: int) -> bool:
    """Set the level's revision unless it is higher than expected; answer whether it was set."""
    tag = await connection.execute(LIFT_REVISION, key.organization_id, key.key, from_at_most, to)
    return tag == "UPDATE 1"


LIST_LEVELS = """
SELECT organization_id, payment_id, revision FROM payments
WHERE revision > 0 AND (organization_id, payment_id) > ($1, $2)
  AND create_time > now() - interval '35 days'
ORDER BY organization_id, payment_id
LIMIT $3
"""


async def list_levels(connection: Connection, after: LevelKey, limit: int) -> list[CurrentLevel]:
    """Return the levels of late in the order of their keys.

    Older payments were taken long ago; a wallet restored from an older copy is a case of its own.
    """
    rows = await connection.fetch(LIST_LEVELS, after.organization_id, after.key, limit)
    return [
        CurrentLevel(LevelKey(row["organization_id"], row["payment_id"]), row["revision"])
        for row in rows
    ]


def _to_payment(row: Record) -> Payment:
    return Payment(
        organization_id=row["organization_id"],
        provider=Provider(row["provider"]),
        payment_id=row["payment_id"],
        subscription_id=row["subscription_id"],
        plan_id=row["plan_id"],
        currency_code=row["currency_code"],
        paid_micros=row["paid_micros"],
        credited_micros=row["credited_micros"],
        allowance_period_start_time=row["allowance_period_start_time"],
        paid_time=row["paid_time"],
        standing=PaymentStanding(
            row["reversed_micros"], row["at_risk_micros"], row["blocks_spending"]
        ),
        state=PaymentState(row["state"]),
        revision=row["revision"],
        event_ids=tuple(row["event_ids"]),
        create_time=row["create_time"],
    )
