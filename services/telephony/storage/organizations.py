"""Organizations: their levels, and the operator's block."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from libs.database import Connection, Record
from libs.levels import subscription_columns, subscription_level_of, wallet_columns, wallet_level_of
from services.telephony.domain.values import OperatorBlock, Organization

MAKE_ORGANIZATION = "INSERT INTO organizations (organization_id) VALUES ($1) ON CONFLICT DO NOTHING"


async def make(connection: Connection, organization_id: str) -> None:
    """Make the organization's row, so that there is one to lock."""
    await connection.execute(MAKE_ORGANIZATION, organization_id)


# The clock is read outside of the locking query: it tells the time after the wait for the lock.
LOCK_ORGANIZATION = """
WITH locked AS MATERIALIZED (SELECT * FROM organizations WHERE organization_id = $1 FOR UPDATE)
SELECT locked.*, clock_timestamp() AS now FROM locked
"""


@dataclass(frozen=True, slots=True)
class OrganizationRow:
    """An organization, and the database's time at which it was read."""

    organization: Organization
    now: datetime


async def lock(connection: Connection, organization_id: str) -> OrganizationRow | None:
    """Lock the organization's row, if there is one, until the transaction ends."""
    row = await connection.fetchrow(LOCK_ORGANIZATION, organization_id)
    return OrganizationRow(to_organization(row), row["now"]) if row else None


# Nobody waits for a lock here, so that whoever holds one keeps nobody from the others, and no
# circle of waits can come of locking many.
LOCK_FREE = """
WITH locked AS MATERIALIZED (
    SELECT * FROM organizations WHERE organization_id = ANY ($1::text[])
    ORDER BY organization_id
    FOR UPDATE SKIP LOCKED
)
SELECT locked.*, clock_timestamp() AS now FROM locked
"""


async def lock_free(
    connection: Connection, organization_ids: Iterable[str]
) -> list[OrganizationRow]:
    """Lock those of the organizations that nobody has locked, until the transaction ends."""
    rows = await connection.fetch(LOCK_FREE, list(organization_ids))
    return [OrganizationRow(to_organization(row), row["now"]) for row in rows]


SAVE_ORGANIZATION = """
UPDATE organizations
SET operator_block_note = $2, operator_block_actor = $3, operator_block_time = $4,
    subscription_revision = $5, subscription_state = $6, subscription_good_standing = $7,
    subscription_good_until = $8, wallet_revision = $9, wallet_frozen = $10,
    wallet_freeze_reasons = $11, wallet_depleted = $12, wallet_depleted_since = $13,
    wallet_owing_micros = $14, wallet_currency_code = $15, reevaluate_time = $16
WHERE organization_id = $1
"""


async def save(connection: Connection, organization: Organization) -> None:
    """Write the row that is locked."""
    block = organization.operator_block
    await connection.execute(
        SAVE_ORGANIZATION,
        organization.organization_id,
        block.note if block else None,
        block.actor if block else None,
        block.create_time if block else None,
        *subscription_columns(organization.subscription),
        *wallet_columns(organization.wallet),
        organization.reevaluate_time,
    )


def to_organization(row: Record) -> Organization:
    """Return the organization that a row tells of, or one that nobody told of."""
    return Organization(
        organization_id=row["organization_id"],
        operator_block=_to_operator_block(row),
        subscription=subscription_level_of(row),
        wallet=wallet_level_of(row),
        reevaluate_time=row["reevaluate_time"],
    )


def _to_operator_block(row: Record) -> OperatorBlock | None:
    if row["operator_block_time"] is None:
        return None
    return OperatorBlock(
        row["operator_block_note"], row["operator_block_actor"], row["operator_block_time"]
    )
