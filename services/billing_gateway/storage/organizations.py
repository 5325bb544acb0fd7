"""Organizations: their lock and the level that they have from their subscriptions."""

from dataclasses import dataclass
from datetime import datetime

from libs.announcing.ports import CurrentLevel, LevelKey
from libs.database import Connection, Record
from libs.levels import SubscriptionLevel, SubscriptionState
from services.billing_gateway.domain.standing import OrganizationStanding

# Whoever makes the row has it locked.
MAKE_ROW = """
INSERT INTO organizations (organization_id) VALUES ($1) ON CONFLICT DO NOTHING
RETURNING *, clock_timestamp() AS now
"""

# The time is the one after the wait for the lock.
LOCK = """
WITH locked AS MATERIALIZED (
    SELECT * FROM organizations WHERE organization_id = $1 FOR UPDATE
)
SELECT locked.*, clock_timestamp() AS now FROM locked
"""
TRY_LOCK = LOCK.replace("FOR UPDATE", "FOR UPDATE SKIP LOCKED")


@dataclass(frozen=True, slots=True)
class LockedOrganization:
    """An organization that is locked, and the database's time since when."""

    organization_id: str
    # None: it has none yet.
    level: SubscriptionLevel | None
    operator_grace_end_time: datetime | None
    reevaluate_time: datetime | None
    now: datetime


async def lock(connection: Connection, organization_id: str) -> LockedOrganization:
    """Lock the organization's row, made if need be, whoever has to be waited for."""
    organization = await _lock(connection, organization_id, LOCK)
    if organization is None:
        raise LookupError(organization_id)
    return organization


async def try_lock(connection: Connection, organization_id: str) -> LockedOrganization | None:
    """Lock the organization's row, made if need be; None if somebody else has it."""
    return await _lock(connection, organization_id, TRY_LOCK)


async def _lock(
    connection: Connection, organization_id: str, statement: str
) -> LockedOrganization | None:
    row = await connection.fetchrow(statement, organization_id)
    for otherwise in (MAKE_ROW, statement):
        row = row or await connection.fetchrow(otherwise, organization_id)
    if row is None:
        return None
    return LockedOrganization(
        organization_id=organization_id,
        level=_to_level(row),
        operator_grace_end_time=row["grace_end_time"],
        reevaluate_time=row["reevaluate_time"],
        now=row["now"],
    )


READ = "SELECT *, clock_timestamp() AS now FROM organizations WHERE organization_id = $1"


@dataclass(frozen=True, slots=True)
class LevelRow:
    """An organization's level, and the database's time at which it was read."""

    level: SubscriptionLevel
    operator_grace_end_time: datetime | None
    now: datetime


async def read(connection: Connection, organization_id: str) -> LevelRow | None:
    """Return the organization's level; None if it has none."""
    row = await connection.fetchrow(READ, organization_id)
    level = _to_level(row)
    if row is None or level is None:
        return None
    return LevelRow(level, row["grace_end_time"], row["now"])


SAVE = """
UPDATE organizations
SET revision = $2, state = $3, good_standing = $4, good_until = $5, reevaluate_time = $6
WHERE organization_id = $1
"""


async def save(
    connection: Connection, organization_id: str, standing: OrganizationStanding
) -> None:
    """Write the level of an organization that is locked."""
    level = standing.level
    await connection.execute(
        SAVE,
        organization_id,
        level.revision,
        level.state,
        level.good_standing,
        level.good_until,
        standing.reevaluate_time,
    )


SAVE_GRACE = """
UPDATE organizations SET grace_end_time = $2, grace_note = $3, grace_actor = $4
WHERE organization_id = $1
  AND (grace_end_time, grace_note, grace_actor) IS DISTINCT FROM ($2, $3, $4)
"""


async def save_grace(
    connection: Connection, organization_id: str, end_time: datetime, note: str, actor: str
) -> bool:
    """Write until when an operator lets a locked organization send; answer whether that is new."""
    tag = await connection.execute(SAVE_GRACE, organization_id, end_time, note, actor)
    return tag == "UPDATE 1"


READ_CLOCK = "SELECT clock_timestamp()"


async def read_clock(connection: Connection) -> datetime:
    """Return the database's time."""
    now: datetime = await connection.fetchval(READ_CLOCK)
    return now


LIST_DUE = """
SELECT organization_id FROM organizations
WHERE reevaluate_time <= now()
ORDER BY reevaluate_time
LIMIT $1
"""


async def list_due(connection: Connection, limit: int) -> list[str]:
    """Return organizations whose standing time alone has changed."""
    return [row["organization_id"] for row in await connection.fetch(LIST_DUE, limit)]


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
