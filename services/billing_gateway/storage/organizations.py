"""Organizations: their lock and the level that they have from their subscriptions."""

from dataclasses import dataclass
from datetime import datetime

from libs.announcing.ports import CurrentLevel, LevelKey
from libs.database import Connection, Record
from libs.levels import SubscriptionLevel, SubscriptionState

MAKE_ROW = "INSERT INTO organizations (organization_id) VALUES ($1) ON CONFLICT DO NOTHING"

LOCK = "SELECT * FROM organizations WHERE organization_id = $1 FOR UPDATE"


async def lock(connection: Connection, organization_id: str) -> SubscriptionLevel | None:
    """Lock the organization's row, made if need be; return its level, None if it has none yet."""
    await connection.execute(MAKE_ROW, organization_id)
    return _to_level(await connection.fetchrow(LOCK, organization_id))


READ = "SELECT *, clock_timestamp() AS now FROM organizations WHERE organization_id = $1"


@dataclass(frozen=True, slots=True)
class LevelRow:
    """An organization's level, and the database's time at which it was read."""

    level: SubscriptionLevel
    now: datetime


async def read(connection: Connection, organization_id: str) -> LevelRow | None:
    """Return the organization's level; None if it has none."""
    row = await connection.fetchrow(READ, organization_id)
    level = _to_level(row)
    return LevelRow(level, row["now"]) if row is not None and level is not None else None


SAVE = """
UPDATE organizations SET revision = $2, state = $3, good_standing = $4, good_until = $5
WHERE organization_id = $1
"""


async def save(connection: Connection, organization_id: str, level: SubscriptionLevel) -> None:
    """Write the level of an organization that is locked."""
    await connection.execute(
        SAVE,
        organization_id,
        level.revision,
        level.state,
        level.good_standing,
        level.good_until,
    )


LIFT_REVISION = """
UPDATE organizations SET revision = $3 WHERE organization_id = $1 AND revision <= $2
"""


async def lift_revision(
    connection: Connection, organization_id: str, from_at_most: int, to: int
) -> bool:
    """Set the level's revision unless it is higher than expected; answer whether it was set."""
    tag = await connection.execute(LIFT_REVISION, organization_id, from_at_most, to)
    return tag == "UPDATE 1"


LIST_LEVELS = """
SELECT organization_id, revision FROM organizations
WHERE revision > 0 AND organization_id > $1
ORDER BY organization_id
LIMIT $2
"""


async def list_levels(connection: Connection, after: str, limit: int) -> list[CurrentLevel]:
    """Return levels in the order of their organizations."""
    rows = await connection.fetch(LIST_LEVELS, after, limit)
    return [CurrentLevel(LevelKey(row["organization_id"]), row["revision"]) for row in rows]


def _to_level(row: Record | None) -> SubscriptionLevel | None:
    if row is None or row["revision"] == 0:
        return None
    return SubscriptionLevel(
        revision=row["revision"],
        state=SubscriptionState(row["state"]),
        good_standing=row["good_standing"],
        good_until=row["good_until"],
    )
