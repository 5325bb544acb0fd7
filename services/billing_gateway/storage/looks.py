"""What providers are to be asked or told, when: due times on the rows that they are about.

Claiming moves a due time ahead by a lease, so a crash gives the work back by itself. What has
become due anew in the meantime stays due.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.database import Connection, Record
from libs.text import storable_text
from services.billing_gateway.domain.values import Provider

ERROR_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True)
class Lease:
    """One piece of work that is claimed: what about, how often it was, and until when."""

    provider: Provider
    subject_id: str
    attempt_count: int
    lease_time: datetime
    actor: str = ""
    note: str = ""


CLAIM_LOOKS = """
UPDATE subscriptions
SET look_due_time = now() + make_interval(secs => $3), look_attempt_count = look_attempt_count + 1
WHERE (provider, subscription_id) IN (
    SELECT provider, subscription_id FROM subscriptions
    WHERE look_due_time <= now() AND provider = ANY($1::text[])
    ORDER BY look_due_time
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
RETURNING provider, subscription_id AS subject_id, look_attempt_count AS attempt_count,
    look_due_time AS lease_time, '' AS actor, '' AS note
"""


async def claim_looks(
    connection: Connection, providers: Sequence[Provider], limit: int, lease_seconds: float
) -> list[Lease]:
    """Take subscriptions that are due for a look."""
    rows = await connection.fetch(CLAIM_LOOKS, list(providers), limit, lease_seconds)
    return [_to_lease(row) for row in rows]


FINISH_LOOK = """
UPDATE subscriptions
SET look_due_time = CASE WHEN look_due_time = $3 THEN $4 ELSE look_due_time END,
    look_attempt_count = 0, look_error = $5, heard_time = now()
WHERE provider = $1 AND subscription_id = $2
"""


async def finish_look(
    connection: Connection, lease: Lease, next_due_time: datetime | None, error: str
) -> None:
    """Note that the provider has answered, and when it is asked next."""
    await connection.execute(
        FINISH_LOOK,
        lease.provider,
        lease.subject_id,
        lease.lease_time,
        next_due_time,
        storable_text(error, ERROR_LENGTH_MAX),
    )


POSTPONE_LOOK = """
UPDATE subscriptions
SET look_due_time = CASE WHEN look_due_time = $3 THEN now() + make_interval(secs => $4)
        ELSE look_due_time END,
    look_error = $5
WHERE provider = $1 AND subscription_id = $2
"""


async def postpone_look(
    connection: Connection, lease: Lease, wait_seconds: float, error: str
) -> None:
    """Note that the provider could not be asked."""
    await connection.execute(
        POSTPONE_LOOK,
        lease.provider,
        lease.subject_id,
        lease.lease_time,
        wait_seconds,
        storable_text(error, ERROR_LENGTH_MAX),
    )


CLAIM_CANCELS = """
UPDATE subscriptions SET cancel_due_time = now() + make_interval(secs => $3)
WHERE (provider, subscription_id) IN (
    SELECT provider, subscription_id FROM subscriptions
    WHERE cancel_due_time <= now() AND provider = ANY($1::text[])
    ORDER BY cancel_due_time
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
RETURNING provider, subscription_id AS subject_id, 0 AS attempt_count,
    cancel_due_time AS lease_time, cancel_actor AS actor, cancel_note AS note
"""


async def claim_cancels(
    connection: Connection, providers: Sequence[Provider], limit: int, lease_seconds: float
) -> list[Lease]:
    """Take subscriptions that the gateway itself has to end now."""
    rows = await connection.fetch(CLAIM_CANCELS, list(providers), limit, lease_seconds)
    return [_to_lease(row) for row in rows]


POSTPONE_CANCEL = """
UPDATE subscriptions SET cancel_due_time = $4
WHERE provider = $1 AND subscription_id = $2 AND cancel_due_time = $3
"""


async def postpone_cancel(connection: Connection, lease: Lease, due_time: datetime) -> None:
    """Note when the gateway tries again to end what is not ended."""
    await connection.execute(
        POSTPONE_CANCEL, lease.provider, lease.subject_id, lease.lease_time, due_time
    )


CLAIM_RESOLVES = """
UPDATE payments
SET resolve_due_time = now() + make_interval(secs => $3),
    resolve_attempt_count = resolve_attempt_count + 1
WHERE (provider, payment_id) IN (
    SELECT provider, payment_id FROM payments
    WHERE resolve_due_time <= now() AND provider = ANY($1::text[])
    ORDER BY resolve_due_time
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
RETURNING provider,
    (
        SELECT object_id FROM payment_objects
        WHERE payment_objects.provider = payments.provider
            AND payment_objects.payment_id = payments.payment_id
        ORDER BY name_rank, object_id
        LIMIT 1
    ) AS subject_id,
    resolve_attempt_count AS attempt_count, resolve_due_time AS lease_time, '' AS actor, '' AS note
"""


async def claim_resolves(
    connection: Connection, providers: Sequence[Provider], limit: int, lease_seconds: float
) -> list[Lease]:
    """Take payments of which one object is all that is known; the subject is that object."""
    rows = await connection.fetch(CLAIM_RESOLVES, list(providers), limit, lease_seconds)
    return [_to_lease(row) for row in rows]


FINISH_RESOLVE = """
UPDATE payments
SET resolve_due_time = now() + make_interval(secs => $4),
    resolve_attempt_count = CASE WHEN $4::double precision IS NULL THEN 0
        ELSE resolve_attempt_count END
WHERE (provider, payment_id) IN (
    SELECT provider, payment_id FROM payment_objects WHERE provider = $1 AND object_id = $2
) AND resolve_due_time = $3
"""


async def finish_resolve(connection: Connection, lease: Lease, wait_seconds: float | None) -> None:
    """Note when the object is asked about again; None: no more. Its payment may be another now."""
    await connection.execute(
        FINISH_RESOLVE, lease.provider, lease.subject_id, lease.lease_time, wait_seconds
    )


def _to_lease(row: Record) -> Lease:
    return Lease(
        provider=Provider(row["provider"]),
        subject_id=row["subject_id"],
        attempt_count=row["attempt_count"],
        lease_time=row["lease_time"],
        actor=row["actor"],
        note=row["note"],
    )
