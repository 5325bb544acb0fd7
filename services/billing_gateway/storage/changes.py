"""The history of subscriptions and standings: what changed, by whom or by what. It only grows."""

from collections.abc import Sequence

from libs.database import Connection, Record
from libs.levels import SubscriptionState
from libs.paging import ChangeKey
from libs.text import storable_text
from services.billing_gateway.domain.values import (
    ChangeCause,
    ChangeFilter,
    Provider,
    SubscriptionChange,
)

NOTE_LENGTH_MAX = 500

APPEND = """
INSERT INTO subscription_changes (
    organization_id, provider, subscription_id, cause, from_state, to_state, source_id, actor,
    note, good_standing, good_until
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""


async def append(connection: Connection, changes: Sequence[SubscriptionChange]) -> None:
    """Write lines of organizations that are locked."""
    lines = [
        (
            change.organization_id,
            change.provider or "",
            change.subscription_id,
            change.cause,
            change.from_state,
            change.to_state,
            change.source_id,
            change.actor,
            storable_text(change.note, NOTE_LENGTH_MAX),
            change.good_standing,
            change.good_until,
        )
        for change in changes
    ]
    await connection.executemany(APPEND, lines)


LIST = """
SELECT * FROM subscription_changes
WHERE ($1::text = '' OR organization_id = $1)
  AND ($2::timestamptz IS NULL OR change_time >= $2)
  AND ($3::timestamptz IS NULL OR change_time < $3)
  AND ($4::timestamptz IS NULL OR (change_time, change_id) < ($4, $5))
ORDER BY change_time DESC, change_id DESC
LIMIT $6
"""


async def list_changes(
    connection: Connection, wanted: ChangeFilter, before: ChangeKey, limit: int
) -> list[SubscriptionChange]:
    """Return changes, newest first, before the given one."""
    rows = await connection.fetch(
        LIST,
        wanted.organization_id,
        wanted.start_time,
        wanted.end_time,
        before.time,
        before.number,
        limit,
    )
    return [_to_change(row) for row in rows]


def _to_change(row: Record) -> SubscriptionChange:
    return SubscriptionChange(
        organization_id=row["organization_id"],
        cause=ChangeCause(row["cause"]),
        provider=Provider(row["provider"]) if row["provider"] else None,
        subscription_id=row["subscription_id"],
        from_state=SubscriptionState(row["from_state"]) if row["from_state"] else None,
        to_state=SubscriptionState(row["to_state"]) if row["to_state"] else None,
        source_id=row["source_id"],
        actor=row["actor"],
        note=row["note"],
        good_standing=row["good_standing"],
        good_until=row["good_until"],
        change_id=row["change_id"],
        change_time=row["change_time"],
    )
