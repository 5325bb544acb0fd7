"""Payments: the flows of money, and how far the wallet has taken them."""

from collections.abc import Sequence
from datetime import datetime

from libs.announcing.ports import CurrentLevel, LevelKey
from libs.database import Connection, Record
from services.billing_gateway.domain.values import (
    Payment,
    PaymentProgress,
    PaymentStanding,
    PaymentState,
    ProgressTold,
    Provider,
)

# So long events may take that tell what a strange object belongs to.
RESOLVE_DELAY_SECONDS = 60

LOCK = """
SELECT * FROM payments WHERE provider = $1 AND payment_id = ANY ($2::text[])
ORDER BY payment_id
FOR UPDATE
"""
TRY_LOCK = f"{LOCK.rstrip()} SKIP LOCKED"


async def lock(
    connection: Connection, provider: Provider, payment_ids: Sequence[str], *, wait: bool
) -> list[Payment]:
    """Lock payments; those that are gone by then, or that somebody else has, are left out."""
    rows = await connection.fetch(LOCK if wait else TRY_LOCK, provider, payment_ids)
    return [to_payment(row) for row in rows]


SAVE = """
INSERT INTO payments (
    provider, payment_id, organization_id, subscription_id, customer_id, plan_id, currency_code,
    paid_micros, paid_time, credited_micros, allowance_period_start_time, progress, progress_time,
    progress_rank, has_failed, refunded_in_all_micros, reversed_micros, at_risk_micros,
    blocks_spending, state, problem, revision, event_ids, create_time, refunded_in_all_time,
    resolve_due_time
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
    $22, $23, $24, $25, now() + make_interval(secs => $26)
)
ON CONFLICT (provider, payment_id) DO UPDATE
SET organization_id = EXCLUDED.organization_id, subscription_id = EXCLUDED.subscription_id,
    customer_id = EXCLUDED.customer_id, plan_id = EXCLUDED.plan_id,
    currency_code = EXCLUDED.currency_code, paid_micros = EXCLUDED.paid_micros,
    paid_time = EXCLUDED.paid_time, credited_micros = EXCLUDED.credited_micros,
    allowance_period_start_time = EXCLUDED.allowance_period_start_time,
    progress = EXCLUDED.progress, progress_time = EXCLUDED.progress_time,
    progress_rank = EXCLUDED.progress_rank, has_failed = EXCLUDED.has_failed,
    refunded_in_all_micros = EXCLUDED.refunded_in_all_micros,
    refunded_in_all_time = EXCLUDED.refunded_in_all_time,
    reversed_micros = EXCLUDED.reversed_micros, at_risk_micros = EXCLUDED.at_risk_micros,
    blocks_spending = EXCLUDED.blocks_spending, state = EXCLUDED.state,
    problem = EXCLUDED.problem, revision = EXCLUDED.revision, event_ids = EXCLUDED.event_ids,
    create_time = EXCLUDED.create_time, update_time = now(),
    resolve_due_time = CASE
        WHEN EXCLUDED.resolve_due_time IS NULL THEN NULL
        WHEN payments.resolve_attempt_count > 0 THEN payments.resolve_due_time
        ELSE coalesce(payments.resolve_due_time, EXCLUDED.resolve_due_time) END
"""


async def save(connection: Connection, payment: Payment, *, is_strange: bool) -> None:
    """Write a payment that is locked, or new; the provider is asked about a strange one later."""
    progress, standing = payment.progress, payment.standing
    await connection.execute(
        SAVE,
        payment.provider,
        payment.payment_id,
        payment.organization_id,
        payment.subscription_id,
        payment.customer_id,
        payment.plan_id,
        payment.currency_code,
        payment.paid_micros,
        payment.paid_time,
        payment.credited_micros,
        payment.allowance_period_start_time,
        progress.progress if progress else None,
        progress.provider_time if progress else None,
        progress.rank if progress else None,
        payment.has_failed,
        payment.refunded_in_all_micros,
        standing.reversed_micros,
        standing.at_risk_micros,
        standing.blocks_spending,
        payment.state,
        payment.problem,
        payment.revision,
        list(payment.event_ids),
        payment.create_time,
        payment.refunded_in_all_time,
        RESOLVE_DELAY_SECONDS if is_strange else None,
    )


RENAME = "UPDATE payments SET payment_id = $3 WHERE provider = $1 AND payment_id = $2"


async def rename(connection: Connection, payment: Payment, payment_id: str) -> None:
    """Rename a payment that is locked and that the wallet was not told of."""
    await connection.execute(RENAME, payment.provider, payment.payment_id, payment_id)


ABSORB = "SELECT absorb_payment($1, $2, $3)"


async def absorb(connection: Connection, absorbed: Payment, payment_id: str) -> None:
    """Give a payment's objects to another, and delete it; both are locked."""
    await connection.execute(ABSORB, absorbed.provider, absorbed.payment_id, payment_id)


ASSIGN = """
UPDATE payments SET assign_actor = $3, assign_note = $4 WHERE provider = $1 AND payment_id = $2
"""


async def note_assignment(connection: Connection, payment: Payment, actor: str, note: str) -> None:
    """Keep who said whose the payment is."""
    await connection.execute(ASSIGN, payment.provider, payment.payment_id, actor, note)


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
    return to_payment(row) if row else None


LIFT_REVISION = """
UPDATE payments SET revision = $4
WHERE organization_id = $1 AND payment_id = $2 AND revision BETWEEN 1 AND $3
"""


async def lift_revision(connection: Connection, key: LevelKey, from_at_most: int, to: int) -> bool:
    """Set the level's revision unless it is higher than expected; answer whether it was set."""
    tag = await connection.execute(LIFT_REVISION, key.organization_id, key.key, from_at_most, to)
    return tag == "UPDATE 1"


LIST_LEVELS = """
SELECT organization_id, payment_id, revision FROM payments
WHERE revision > 0 AND (organization_id, payment_id) > ($1, $2)
  AND (update_time > now() - interval '35 days' OR at_risk_micros > 0 OR blocks_spending)
ORDER BY organization_id, payment_id
LIMIT $3
"""


async def list_levels(connection: Connection, after: LevelKey, limit: int) -> list[CurrentLevel]:
    """Return the levels that changed of late or may yet, in the order of their keys.

    Others were taken long ago; a wallet restored from an older copy is a case of its own.
    """
    rows = await connection.fetch(LIST_LEVELS, after.organization_id, after.key, limit)
    return [
        CurrentLevel(LevelKey(row["organization_id"], row["payment_id"]), row["revision"])
        for row in rows
    ]


def to_payment(row: Record) -> Payment:
    """Return the payment of a row that has all of its columns."""
    return Payment(
        provider=Provider(row["provider"]),
        payment_id=row["payment_id"],
        organization_id=row["organization_id"],
        subscription_id=row["subscription_id"],
        customer_id=row["customer_id"],
        plan_id=row["plan_id"],
        currency_code=row["currency_code"],
        paid_micros=row["paid_micros"],
        paid_time=row["paid_time"],
        credited_micros=row["credited_micros"],
        allowance_period_start_time=row["allowance_period_start_time"],
        progress=_to_progress(row),
        has_failed=row["has_failed"],
        refunded_in_all_micros=row["refunded_in_all_micros"],
        refunded_in_all_time=row["refunded_in_all_time"],
        standing=PaymentStanding(
            row["reversed_micros"], row["at_risk_micros"], row["blocks_spending"]
        ),
        state=PaymentState(row["state"]),
        problem=row["problem"],
        revision=row["revision"],
        event_ids=tuple(row["event_ids"]),
        create_time=row["create_time"],
    )


def _to_progress(row: Record) -> ProgressTold | None:
    if row["progress"] is None:
        return None
    progress = PaymentProgress(row["progress"])
    return ProgressTold(progress, row["progress_time"], row["progress_rank"])
