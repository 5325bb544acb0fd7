"""The inbox: webhook events and what came of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.database import Connection, Record
from libs.text import storable_text
from services.billing_gateway.domain.values import (
    EventFilter,
    EventState,
    Provider,
    WebhookEvent,
)

ERROR_LENGTH_MAX = 500

INSERT = """
INSERT INTO webhook_events (provider, event_id, event_type, body, state, last_error)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (provider, event_id) DO UPDATE SET state = 'RECEIVED', next_attempt_time = now()
WHERE webhook_events.state IN ('PARKED', 'DEAD')
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A rightly signed delivery, to be kept."""

    provider: Provider
    event_id: str
    event_type: str
    body: bytes
    state: EventState
    last_error: str


async def insert(connection: Connection, delivery: Delivery) -> bool:
    """Keep a delivery; answer whether its event is to be settled.

    A redelivery ("Resend" in a dashboard) settles anew what is parked or dead: settings
    or links may have been mended since. What is settled stays.
    """
    tag = await connection.execute(
        INSERT,
        delivery.provider,
        delivery.event_id,
        delivery.event_type,
        delivery.body,
        delivery.state,
        delivery.last_error,
    )
    return tag == "INSERT 0 1"


CLAIM_NEXT = """
SELECT * FROM webhook_events
WHERE state = 'RECEIVED' AND next_attempt_time <= now()
ORDER BY next_attempt_time
LIMIT 1
FOR UPDATE SKIP LOCKED
"""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with its body."""

    event: WebhookEvent
    body: bytes


async def claim_next(connection: Connection) -> StoredEvent | None:
    """Take one event that is due, for as long as the transaction lasts; a crash gives it back."""
    row = await connection.fetchrow(CLAIM_NEXT)
    return StoredEvent(_to_event(row), row["body"]) if row else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of handling an event."""

    state: EventState
    organization_id: str = ""
    object_ids: tuple[str, ...] = ()
    observations: tuple[str, ...] = ()
    last_error: str = ""
    retry_in_seconds: float = 0.0
    # What only waited for somebody else is no attempt.
    is_attempt: bool = True


SAVE_OUTCOME = """
UPDATE webhook_events
SET state = $3, organization_id = $4, object_ids = $5, observations = $6, last_error = $7,
    next_attempt_time = now() + make_interval(secs => $8),
    attempt_count = attempt_count + CASE WHEN $9 THEN 1 ELSE 0 END
WHERE provider = $1 AND event_id = $2
"""


async def save_outcome(connection: Connection, event: WebhookEvent, outcome: Outcome) -> None:
    """Write down what came of an event that is claimed."""
    await connection.execute(
        SAVE_OUTCOME,
        event.provider,
        event.event_id,
        outcome.state,
        outcome.organization_id,
        list(outcome.object_ids),
        list(outcome.observations),
        storable_text(outcome.last_error, ERROR_LENGTH_MAX),
        outcome.retry_in_seconds,
        outcome.is_attempt,
    )


UNPARK = """
UPDATE webhook_events SET state = 'RECEIVED', next_attempt_time = now()
WHERE provider = $1 AND state = 'PARKED' AND object_ids && $2::text[]
"""


async def unpark(connection: Connection, provider: Provider, object_ids: Iterable[str]) -> bool:
    """Let the events that speak of these objects be handled again; answer whether any are."""
    tag = await connection.execute(UNPARK, provider, [each for each in object_ids if each])
    return tag != "UPDATE 0"


NAME_ORGANIZATION = """
UPDATE webhook_events SET organization_id = $3
WHERE provider = $1 AND event_id = ANY ($2::text[]) AND organization_id = ''
"""


async def name_organization(
    connection: Connection, provider: Provider, event_ids: Sequence[str], organization_id: str
) -> None:
    """Write down whose events are that nobody could tell before."""
    await connection.execute(NAME_ORGANIZATION, provider, event_ids, organization_id)


FIND = "SELECT * FROM webhook_events WHERE provider = $1 AND event_id = $2"


async def find(connection: Connection, provider: Provider, event_id: str) -> StoredEvent | None:
    """Return one event."""
    row = await connection.fetchrow(FIND, provider, event_id)
    return StoredEvent(_to_event(row), row["body"]) if row else None


LIST = """
SELECT * FROM webhook_events
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


@dataclass(frozen=True, slots=True)
class EventKey:
    """Where an event stands in a list."""

    receive_time: datetime | None = None
    provider: str = ""
    event_id: str = ""


async def list_events(
    connection: Connection, wanted: EventFilter, before: EventKey, limit: int
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
        before.receive_time,
        before.provider,
        before.event_id,
        limit,
    )
    return [_to_event(row) for row in rows]


def _to_event(row: Record) -> WebhookEvent:
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
    )
