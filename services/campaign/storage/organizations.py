"""Organizations: what they were told, and when their campaigns are due for settling."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.database import Connection, Record
from libs.levels import subscription_columns, wallet_columns
from services.campaign.domain.values import Organization
from services.campaign.storage.rows import pause_columns, to_organization


@dataclass(frozen=True, slots=True)
class OrganizationRow:
    """An organization, and the database's time at which it was read."""

    organization: Organization
    now: datetime


MAKE = "INSERT INTO organizations (organization_id) VALUES ($1) ON CONFLICT DO NOTHING"


async def make(connection: Connection, organization_id: str) -> None:
    """Make the organization's row, so that there is one to lock."""
    await connection.execute(MAKE, organization_id)


# The clock and the emergency stop are read outside of the locking query, by volatile functions: it
# is how they are after the wait for the lock. Read as the statement's snapshot has it, the stop
# would be missed by whoever waited for the lock while the stop was settled.
LOCK = """
WITH locked AS MATERIALIZED (SELECT * FROM organizations WHERE organization_id = $1 FOR UPDATE)
SELECT locked.*, clock_timestamp() AS now, current_stop() AS stop FROM locked
"""


async def lock(connection: Connection, organization_id: str) -> OrganizationRow | None:
    """Lock the organization's row until the transaction ends; None if there is none."""
    row = await connection.fetchrow(LOCK, organization_id)
    return _to_row(row) if row else None


LOCK_FREE = """
WITH locked AS MATERIALIZED (
    SELECT * FROM organizations WHERE organization_id = ANY($1::text[])
    ORDER BY organization_id
    FOR UPDATE SKIP LOCKED
)
SELECT locked.*, clock_timestamp() AS now, current_stop() AS stop FROM locked
"""


async def lock_free(
    connection: Connection, organization_ids: Sequence[str]
) -> list[OrganizationRow]:
    """Lock those of some organizations that nobody else holds."""
    rows = await connection.fetch(LOCK_FREE, organization_ids)
    return [_to_row(row) for row in rows]


READ = """
SELECT *, emergency_stop AS stop, statement_timestamp() AS now
FROM (SELECT $1::text AS organization_id) AS wanted LEFT JOIN organizations USING (organization_id)
CROSS JOIN emergency_stop
"""


async def read(connection: Connection, organization_id: str) -> OrganizationRow:
    """Read an organization without a lock; of one without a row nothing is known."""
    (row,) = await connection.fetch(READ, organization_id)
    return _to_row(row)


SAVE = """
UPDATE organizations
SET organization_pause_note = $2, organization_pause_actor = $3, organization_pause_time = $4,
    subscription_revision = $5, subscription_state = $6, subscription_good_standing = $7,
    subscription_good_until = $8, wallet_revision = $9, wallet_frozen = $10,
    wallet_freeze_reasons = $11, wallet_depleted = $12, wallet_depleted_since = $13,
    wallet_owing_micros = $14, wallet_currency_code = $15, reevaluate_time = $16
WHERE organization_id = $1
"""


async def save(connection: Connection, organization: Organization) -> None:
    """Write what an organization was told; its row is locked."""
    await connection.execute(
        SAVE,
        organization.organization_id,
        *pause_columns(organization.pause),
        *subscription_columns(organization.subscription),
        *wallet_columns(organization.wallet),
        organization.reevaluate_time,
    )


MARK_SETTLED = """
UPDATE organizations
SET reevaluate_time = settled.reevaluate_time, settled_stop_number = settled.stop_number
FROM unnest($1::text[], $2::timestamptz[], $3::bigint[])
    AS settled (organization_id, reevaluate_time, stop_number)
WHERE organizations.organization_id = settled.organization_id
"""


async def mark_settled(connection: Connection, organizations: Sequence[Organization]) -> None:
    """Write for many when they are due again; their rows are locked."""
    await connection.execute(
        MARK_SETTLED,
        [each.organization_id for each in organizations],
        [each.reevaluate_time for each in organizations],
        [each.settled_stop_number for each in organizations],
    )


LIST_UNSETTLED = """
SELECT organization_id, settled_stop_number FROM organizations
WHERE settled_stop_number < (SELECT number FROM emergency_stop)
  AND (settled_stop_number, organization_id) > ($1, $2::text)
ORDER BY settled_stop_number, organization_id
LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class Unsettled:
    """An organization that was settled under another stop, and its place in their list."""

    organization_id: str = ""
    settled_stop_number: int = -1


async def list_unsettled(connection: Connection, after: Unsettled, limit: int) -> list[Unsettled]:
    """Return, from a place on, organizations that were settled under an older stop only."""
    rows = await connection.fetch(
        LIST_UNSETTLED, after.settled_stop_number, after.organization_id, limit
    )
    return [Unsettled(row["organization_id"], row["settled_stop_number"]) for row in rows]


def _to_row(row: Record) -> OrganizationRow:
    return OrganizationRow(to_organization(row), row["now"])
