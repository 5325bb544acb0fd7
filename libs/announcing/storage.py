"""The table `announcements`: for each level and observer, what is current and acknowledged."""

from collections.abc import Sequence
from dataclasses import dataclass

from libs.announcing.ports import CurrentLevel, LevelKey
from libs.database import Connection

MARK = """
INSERT INTO announcements (organization_id, level, key, observer, revision, due_time)
SELECT $1, $2, $3, observer, $4, now() + make_interval(secs => $6)
FROM unnest($5::text[]) AS observer
ON CONFLICT (organization_id, level, key, observer) DO UPDATE
SET revision = greatest(announcements.revision, EXCLUDED.revision),
    due_time = EXCLUDED.due_time,
    attempt_count = 0
"""


async def mark(
    connection: Connection,
    level: str,
    current: CurrentLevel,
    observers: Sequence[str],
    due_in_seconds: float,
) -> None:
    """Note that these observers are to be told this revision."""
    key = current.key
    await connection.execute(
        MARK, key.organization_id, level, key.key, current.revision, observers, due_in_seconds
    )


LIST_DUE = """
SELECT organization_id, key, observer FROM announcements
WHERE level = $1 AND due_time <= now()
ORDER BY due_time
LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class Due:
    """One level to tell to one observer."""

    key: LevelKey
    observer: str


async def list_due(connection: Connection, level: str, limit: int) -> list[Due]:
    """Return what is to be told now, longest due first."""
    rows = await connection.fetch(LIST_DUE, level, limit)
    return [Due(LevelKey(row["organization_id"], row["key"]), row["observer"]) for row in rows]


CLAIM = """
UPDATE announcements SET due_time = now() + make_interval(secs => $5)
WHERE organization_id = $1 AND level = $2 AND key = $3 AND observer = $4 AND due_time <= now()
"""


async def claim(connection: Connection, level: str, due: Due, lease_seconds: float) -> bool:
    """Take it for this process; False if another one was quicker."""
    tag = await connection.execute(
        CLAIM, due.key.organization_id, level, due.key.key, due.observer, lease_seconds
    )
    return tag == "UPDATE 1"


ACKNOWLEDGE = """
UPDATE announcements
SET acknowledged_revision = greatest(acknowledged_revision, $5),
    due_time = CASE WHEN $5 >= revision THEN NULL ELSE due_time END,
    attempt_count = 0,
    last_error = ''
WHERE organization_id = $1 AND level = $2 AND key = $3 AND observer = $4
"""


async def acknowledge(connection: Connection, level: str, due: Due, revision: int) -> None:
    """Note what the observer holds; it stays due if the level has moved on since."""
    await connection.execute(
        ACKNOWLEDGE, due.key.organization_id, level, due.key.key, due.observer, revision
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
    connection: Connection,
    level: str,
    due: Due,
    back_off: BackOff,
    error: str,
) -> None:
    """Note a failure, and when to try again."""
    await connection.execute(
        POSTPONE,
        due.key.organization_id,
        level,
        due.key.key,
        due.observer,
        back_off.base_seconds,
        back_off.max_seconds,
        back_off.jitter,
        error[:500],
    )
