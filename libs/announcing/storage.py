"""The table `announcements`: for each level and observer, what is current and acknowledged."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from libs.announcing.ports import Announcement, Backlog, CurrentLevel, Delivery, LevelKey
from libs.database import Connection
from libs.text import storable_text

ERROR_LENGTH_MAX = 500
NOT_TOLD = Delivery(acknowledged_revision=0, last_error="")

# What is due sooner stays so: a sweep at a start puts off nothing that a crash left behind. It is
# pending only if the observer has not acknowledged as much: what is swept is due, and not pending.
MARK = """
INSERT INTO announcements (
    organization_id, level, key, observer, revision, due_time, pending_since)
SELECT $1, $2, $3, observer, $4, now() + make_interval(secs => $6), now()
FROM unnest($5::text[]) AS observer
ON CONFLICT (organization_id, level, key, observer) DO UPDATE
SET revision = greatest(announcements.revision, EXCLUDED.revision),
    due_time = least(announcements.due_time, EXCLUDED.due_time),
    attempt_count = 0,
    pending_since = CASE
        WHEN greatest(announcements.revision, EXCLUDED.revision)
            > announcements.acknowledged_revision
        THEN coalesce(announcements.pending_since, now()) END
"""


async def mark(
    connection: Connection,
    level: str,
    changed: Sequence[CurrentLevel],
    observers: Sequence[str],
    due_in_seconds: float,
) -> None:
    """Note that these observers are to be told these revisions.

    In one order, whoever asks: of two that take the same lines, one waits for the other.
    """
    if not changed:
        # Of nothing to execute, asyncpg prepares the statement and leaves it at that: the
        # connection would go back to its pool within a transaction, with a snapshot.
        return
    await connection.executemany(
        MARK,
        [
            (
                current.key.organization_id,
                level,
                current.key.key,
                current.revision,
                observers,
                due_in_seconds,
            )
            for current in sorted(changed, key=attrgetter("key"))
        ],
    )


@dataclass(frozen=True, slots=True)
class Line:
    """Which kind of level is told to which observer."""

    level: str
    observer: str


LIST_DUE = """
SELECT organization_id, key FROM announcements
WHERE level = $1 AND observer = $2 AND due_time <= now()
ORDER BY due_time
LIMIT $3
"""


async def list_due(connection: Connection, line: Line, limit: int) -> list[LevelKey]:
    """Return whose level is to be told now, longest due first."""
    rows = await connection.fetch(LIST_DUE, line.level, line.observer, limit)
    return [LevelKey(row["organization_id"], row["key"]) for row in rows]


CLAIM = """
UPDATE announcements SET due_time = now() + make_interval(secs => $5)
WHERE organization_id = $1 AND level = $2 AND key = $3 AND observer = $4 AND due_time <= now()
"""


async def claim(connection: Connection, line: Line, key: LevelKey, lease_seconds: float) -> bool:
    """Take it for this process; False if another one was quicker."""
    tag = await connection.execute(
        CLAIM, key.organization_id, line.level, key.key, line.observer, lease_seconds
    )
    return tag == "UPDATE 1"


# Of a level that moves on while it is told, what is pending is only what came while it was told.
ACKNOWLEDGE = """
UPDATE announcements
SET acknowledged_revision = greatest(acknowledged_revision, $5),
    due_time = CASE WHEN $5 >= revision THEN NULL ELSE due_time END,
    attempt_count = 0,
    last_error = '',
    pending_since = CASE
        WHEN greatest(acknowledged_revision, $5) >= revision THEN NULL
        WHEN $5 > acknowledged_revision THEN now()
        ELSE pending_since END
WHERE organization_id = $1 AND level = $2 AND key = $3 AND observer = $4
"""


async def acknowledge(connection: Connection, line: Line, key: LevelKey, revision: int) -> None:
    """Note what the observer holds; it stays due if the level has moved on since."""
    await connection.execute(
        ACKNOWLEDGE, key.organization_id, line.level, key.key, line.observer, revision
    )


@dataclass(frozen=True, slots=True)
class BackOff:
    """How long to wait after a failure: doubled with each, bounded, spread by the jitter."""

    base_seconds: float
    max_seconds: float
    jitter: float


POSTPONE = """
UPDATE announcements
SET attempt_count = attempt_count + 1,
    due_time = now() + make_interval(
        secs => least($6, $5 * power(2, least(attempt_count, 20))) * $7),
    last_error = $8
WHERE organization_id = $1 AND level = $2 AND key = $3 AND observer = $4
"""


async def postpone(
    connection: Connection, line: Line, key: LevelKey, back_off: BackOff, error: str
) -> None:
    """Note a failure, and when to try again."""
    await connection.execute(
        POSTPONE,
        key.organization_id,
        line.level,
        key.key,
        line.observer,
        back_off.base_seconds,
        back_off.max_seconds,
        back_off.jitter,
        storable_text(error, ERROR_LENGTH_MAX),
    )


READ_DELIVERIES = """
SELECT organization_id, key, acknowledged_revision, last_error
FROM announcements
JOIN unnest($3::text[], $4::text[]) AS wanted (organization_id, key)
    USING (organization_id, key)
WHERE level = $1 AND observer = $2
"""


async def read_deliveries(
    connection: Connection, line: Line, keys: Sequence[LevelKey]
) -> dict[LevelKey, Delivery]:
    """Return how far the observer has taken each of these levels."""
    rows = await connection.fetch(
        READ_DELIVERIES,
        line.level,
        line.observer,
        [each.organization_id for each in keys],
        [each.key for each in keys],
    )
    taken = {
        LevelKey(row["organization_id"], row["key"]): Delivery(
            row["acknowledged_revision"], row["last_error"]
        )
        for row in rows
    }
    return {key: taken.get(key, NOT_TOLD) for key in keys}


READ_BACKLOGS = """
SELECT observer, pending_count, pending_since, coalesce(last_error, '') AS last_error
FROM unnest($2::text[]) AS observer
    CROSS JOIN LATERAL (
        SELECT count(*) AS pending_count FROM announcements
        WHERE level = $1 AND announcements.observer = observer.observer
          AND revision > acknowledged_revision
    ) AS counted
    LEFT JOIN LATERAL (
        SELECT pending_since, last_error FROM announcements
        WHERE level = $1 AND announcements.observer = observer.observer
          AND revision > acknowledged_revision
        ORDER BY pending_since
        LIMIT 1
    ) AS oldest ON true
"""


async def read_backlogs(
    connection: Connection, level: str, observers: Sequence[str]
) -> list[Backlog]:
    """Return what each of these observers has not acknowledged of one kind of level."""
    rows = await connection.fetch(READ_BACKLOGS, level, observers)
    return [
        Backlog(
            level=level,
            observer=row["observer"],
            pending_count=row["pending_count"],
            oldest_time=row["pending_since"],
            last_error=row["last_error"],
        )
        for row in rows
    ]


# All that an organization has: as many lines as it has made payments, at most.
LIST_OF_ORGANIZATION = """
SELECT * FROM announcements
WHERE organization_id = $1
ORDER BY revision > acknowledged_revision DESC, pending_since, level, key, observer
LIMIT $2
"""
ANNOUNCEMENTS_MAX = 100


async def list_of_organization(connection: Connection, organization_id: str) -> list[Announcement]:
    """Return how far its levels were taken, what has been pending for longest first."""
    rows = await connection.fetch(LIST_OF_ORGANIZATION, organization_id, ANNOUNCEMENTS_MAX)
    return [
        Announcement(
            level=row["level"],
            key=LevelKey(organization_id, row["key"]),
            observer=row["observer"],
            revision=row["revision"],
            acknowledged_revision=row["acknowledged_revision"],
            pending_since=row["pending_since"],
            attempt_count=row["attempt_count"],
            last_error=row["last_error"],
        )
        for row in rows
    ]
