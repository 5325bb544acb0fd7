"""Webhook events as they are looked at: one, a list, how many wait."""

from dataclasses import dataclass

from libs.database import Connection, Record
from services.billing_gateway.domain.values import (
    EventFilter,
    EventState,
    Place,
    Provider,
    WebhookEvent,
)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with its body while that is kept."""

    event: WebhookEvent
    body: bytes | None


FIND = """
SELECT *, body IS NOT NULL AS body_kept FROM webhook_events WHERE provider = $1 AND event_id = $2
"""


async def find(connection: Connection, provider: Provider, event_id: str) -> StoredEvent | None:
    """Return one event."""
    row = await connection.fetchrow(FIND, provider, event_id)
    return StoredEvent(to_event(row), row["body"]) if row else None


# Without the bodies, which may be large.
LIST = """
SELECT provider, event_id, event_type, state, organization_id, attempt_count, last_error,
    observations, receive_time, object_ids, next_attempt_time, body IS NOT NULL AS body_kept
FROM webhook_events
WHERE ($1::text IS NULL OR provider = $1)
  AND ($2::text IS NULL OR state = $2)
  AND ($3::text = '' OR event_type = $3)
  AND ($4::text = '' OR organization_id = $4)
  AND ($5::text = '' OR object_ids @> ARRAY[$5::text])
  AND ($6::timestamptz IS NULL OR receive_time >= $6)
  AND ($7::timestamptz IS NULL OR receive_time < $7)
  AND ($8::timestamptz IS NULL OR (receive_time, provider, event_id) < ($8, $9, $10))
ORDER BY receive_time DESC, provider DESC, event_id DESC
LIMIT $11
"""


async def list_events(
    connection: Connection, wanted: EventFilter, before: Place, limit: int
) -> list[WebhookEvent]:
    """Return events, newest first, before the given one."""
    rows = await connection.fetch(
        LIST,
        wanted.provider,
        wanted.state,
        wanted.event_type,
        wanted.organization_id,
        wanted.object_id,
        wanted.received_after,
        wanted.received_before,
        before.time,
        before.provider,
        before.object_id,
        limit,
    )
    return [to_event(row) for row in rows]


LIST_PARKED = """
SELECT event_id FROM webhook_events
WHERE state = 'PARKED' AND receive_time < now() - make_interval(secs => $1)
ORDER BY receive_time
LIMIT $2
"""


async def list_parked(connection: Connection, for_seconds: float, limit: int) -> list[str]:
    """Return the ids of events that have been parked for so long, the oldest first."""
    rows = await connection.fetch(LIST_PARKED, for_seconds, limit)
    return [row["event_id"] for row in rows]


def to_event(row: Record) -> WebhookEvent:
    """Return the event of a row that has `body_kept`."""
    return WebhookEvent(
        provider=Provider(row["provider"]),
        event_id=row["event_id"],
        event_type=row["event_type"],
        state=EventState(row["state"]),
        organization_id=row["organization_id"],
        attempt_count=row["attempt_count"],
        last_error=row["last_error"],
        observations=tuple(row["observations"]),
        receive_time=row["receive_time"],
        object_ids=tuple(row["object_ids"]),
        next_attempt_time=row["next_attempt_time"],
        body_kept=row["body_kept"],
    )
