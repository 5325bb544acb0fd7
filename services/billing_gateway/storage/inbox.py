"""The inbox: deliveries that are kept, and how their events are handled until they are settled."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import compress

from libs.database import Connection
from libs.text import storable_text
from services.billing_gateway.domain.values import EventState, Provider, WebhookEvent
from services.billing_gateway.ports import Transmission
from services.billing_gateway.storage.events import to_event

ERROR_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True)
class Delivery:
    """A rightly signed delivery, to be kept."""

    provider: Provider
    event_id: str
    event_type: str
    body: bytes
    state: EventState
    last_error: str
    transmission: Transmission | None = None
    traceparent: str | None = None


# One statement, so that nothing of a batch is kept without the rest. Each in one order, so that two
# batches with the same rows never wait for each other in a circle. The update changes nothing: it
# waits for who inserts the same transmission, and returns the body that is kept then.
INSERT = """
WITH told AS (
    SELECT * FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[],
        $7::text[], $8::bytea[], $9::timestamptz[], $10::text[]
    ) WITH ORDINALITY AS told (
        provider, event_id, event_type, body, state, last_error,
        transmission_id, body_sha256, counts_until, traceparent, number
    )
), bound AS (
    INSERT INTO transmissions AS known (provider, transmission_id, body_sha256, counts_until)
    SELECT DISTINCT ON (provider, transmission_id)
        provider, transmission_id, body_sha256, counts_until
    FROM told WHERE transmission_id IS NOT NULL
    ORDER BY provider, transmission_id, number
    ON CONFLICT (provider, transmission_id) DO UPDATE SET counts_until = known.counts_until
    RETURNING provider, transmission_id, body_sha256
), decided AS (
    SELECT told.*, told.transmission_id IS NULL OR told.body_sha256 = bound.body_sha256 AS is_kept
    FROM told LEFT JOIN bound USING (provider, transmission_id)
), inserted AS (
    INSERT INTO webhook_events (
        provider, event_id, event_type, body, state, last_error, traceparent
    )
    SELECT provider, event_id, event_type, body, state, last_error, traceparent
    FROM decided WHERE is_kept
    ORDER BY provider, event_id
    ON CONFLICT (provider, event_id) DO NOTHING
    RETURNING true
)
SELECT array_agg(is_kept ORDER BY number) AS are_kept,
    (SELECT count(*) FROM inserted) AS inserted_count
FROM decided
"""

REVIVE = """
UPDATE webhook_events AS event
SET state = 'RECEIVED', attempt_count = 0, next_attempt_time = now()
FROM unnest($1::text[], $2::text[]) AS told (provider, event_id)
WHERE event.provider = told.provider AND event.event_id = told.event_id
  AND event.state IN ('PARKED', 'DEAD')
"""


@dataclass(frozen=True, slots=True)
class Inserted:
    """What came of each delivery, in their order, and whether any event is to be settled."""

    # Not if its transmission stands for another body.
    are_kept: Sequence[bool]
    are_any_due: bool


async def insert(connection: Connection, deliveries: Sequence[Delivery]) -> Inserted:
    """Keep deliveries, each event once, each transmission for its first body only.

    A redelivery ("Resend" in a dashboard) settles anew what is parked or dead: settings or links
    may have been mended since. What is settled stays.
    """
    transmissions = [each.transmission for each in deliveries]
    [row] = await connection.fetch(
        INSERT,
        [each.provider for each in deliveries],
        [each.event_id for each in deliveries],
        [each.event_type for each in deliveries],
        [each.body for each in deliveries],
        [each.state for each in deliveries],
        [each.last_error for each in deliveries],
        [each and each.transmission_id for each in transmissions],
        [each and each.body_sha256 for each in transmissions],
        [each and each.counts_until for each in transmissions],
        [each.traceparent for each in deliveries],
    )
    kept = list(compress(deliveries, row["are_kept"]))
    if row["inserted_count"] == len(kept):
        return Inserted(row["are_kept"], are_any_due=bool(kept))
    revived = await connection.execute(
        REVIVE, [each.provider for each in kept], [each.event_id for each in kept]
    )
    are_any_due = row["inserted_count"] > 0 or revived != "UPDATE 0"
    return Inserted(row["are_kept"], are_any_due)


# By who is not heard, of whom there is hardly ever a row: for a list of who is, a planner without
# figures expects next to no row, and would rather collect and sort the whole inbox for each event.
CLAIM_NEXT = """
SELECT *, true AS body_kept FROM webhook_events
WHERE state = 'RECEIVED' AND next_attempt_time <= now() AND provider <> ALL ($1::text[])
ORDER BY next_attempt_time
LIMIT 1
FOR UPDATE SKIP LOCKED
"""


@dataclass(frozen=True, slots=True)
class ClaimedEvent:
    """An event that is being settled, with its body."""

    event: WebhookEvent
    body: bytes
    traceparent: str | None


async def claim_next(connection: Connection, unheard: Collection[Provider]) -> ClaimedEvent | None:
    """Take one event that is due, for as long as the transaction lasts; a crash gives it back.

    Those of providers that are not heard any more wait until they are.
    """
    row = await connection.fetchrow(CLAIM_NEXT, list(unheard))
    return ClaimedEvent(to_event(row), row["body"], row["traceparent"]) if row else None


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
SET state = $3,
    organization_id = CASE WHEN $3 = 'RECEIVED' THEN organization_id ELSE $4 END,
    object_ids = $5, observations = $6, last_error = $7,
    next_attempt_time = now() + make_interval(secs => $8),
    attempt_count = attempt_count + CASE WHEN $9 THEN 1 ELSE 0 END,
    settle_time = CASE WHEN $3 IN ('DONE', 'IGNORED') THEN now() END
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


# What is done without money, and of nobody, may be somebody's now: who tried to pay in vain.
UNPARK = """
UPDATE webhook_events SET state = 'RECEIVED', attempt_count = 0, next_attempt_time = now()
WHERE provider = $1 AND object_ids && $2::text[]
  AND (state = 'PARKED' OR (state = 'DONE' AND organization_id = ''))
  AND body IS NOT NULL
"""


async def unpark(connection: Connection, provider: Provider, object_ids: Iterable[str]) -> bool:
    """Let nobody's events that speak of these objects be handled again; answer if there are any."""
    named = [each for each in object_ids if each]
    return await connection.execute(UNPARK, provider, named) != "UPDATE 0"


NAME_ORGANIZATION = """
UPDATE webhook_events SET organization_id = $3
WHERE provider = $1 AND event_id = ANY ($2::text[]) AND organization_id = ''
"""


async def name_organization(
    connection: Connection, provider: Provider, event_ids: Sequence[str], organization_id: str
) -> None:
    """Write down whose events are that nobody could tell before."""
    await connection.execute(NAME_ORGANIZATION, provider, event_ids, organization_id)


# One after the other, so that who is delivered meanwhile does not wait behind all of them. What
# waits already does not wait longer.
REPLAY = """
UPDATE webhook_events AS event
SET state = 'RECEIVED', attempt_count = 0,
    next_attempt_time = least(
        now() + make_interval(secs => (wanted.number + $3) / $4::float8),
        CASE WHEN event.state = 'RECEIVED' THEN event.next_attempt_time END
    )
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (provider, event_id, number)
WHERE event.provider = wanted.provider AND event.event_id = wanted.event_id
  AND event.body IS NOT NULL
"""
REPLAYED_PER_SECOND = 100.0


async def replay(
    connection: Connection, events: Sequence[WebhookEvent], after_count: int = 0
) -> int:
    """Let events be handled again, after so many others; return how many have a body for that."""
    tag = await connection.execute(
        REPLAY,
        [each.provider for each in events],
        [each.event_id for each in events],
        # The first of them is due at once.
        after_count - 1,
        REPLAYED_PER_SECOND,
    )
    return int(tag.rpartition(" ")[2])


GIVE_UP_BODIES = """
UPDATE webhook_events SET body = NULL
WHERE (provider, event_id) IN (
    SELECT provider, event_id FROM webhook_events
    WHERE body IS NOT NULL AND state IN ('DONE', 'IGNORED')
      AND receive_time < now() - make_interval(secs => $1)
      AND coalesce(settle_time, receive_time) < now() - make_interval(secs => $1)
    ORDER BY receive_time
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
"""


async def give_up_bodies(connection: Connection, older_than_seconds: float, limit: int) -> int:
    """Give up the raw bodies of events that were settled so long ago; return how many."""
    tag = await connection.execute(GIVE_UP_BODIES, older_than_seconds, limit)
    return int(tag.rpartition(" ")[2])


# A day more, since not every clock is right.
FORGET_TRANSMISSIONS = """
DELETE FROM transmissions WHERE (provider, transmission_id) IN (
    SELECT provider, transmission_id FROM transmissions
    WHERE counts_until < now() - interval '1 day'
    ORDER BY counts_until
    LIMIT $1
    FOR UPDATE SKIP LOCKED
)
"""


async def forget_transmissions(connection: Connection, limit: int) -> int:
    """Delete transmissions that their provider's signature does not vouch for any more."""
    tag = await connection.execute(FORGET_TRANSMISSIONS, limit)
    return int(tag.rpartition(" ")[2])
