"""Intents to have accounts made at Twilio."""

from dataclasses import dataclass

from libs.database import Connection, Record
from services.telephony.domain.provisioning import Provision, ProvisionFilter

INSERT_PROVISION = """
INSERT INTO provisions (
    organization_id, reference_id, brand_id, friendly_name, tag, create_time, account_sid,
    double_account_sids, last_error, refusal_code, attempt_count, due_time, claim_number,
    lease_end_time, next_create_time, register_time, failing_time
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
"""


async def insert(connection: Connection, provision: Provision) -> None:
    """Write an intent whose reference is free, of an organization that is locked."""
    await connection.execute(
        INSERT_PROVISION,
        provision.organization_id,
        provision.reference_id,
        provision.brand_id,
        provision.friendly_name,
        provision.tag,
        provision.create_time,
        *_state_columns(provision),
    )


FIND_PROVISION = "SELECT * FROM provisions WHERE organization_id = $1 AND reference_id = $2"


async def find(connection: Connection, organization_id: str, reference_id: str) -> Provision | None:
    """Return what a reference stands for."""
    row = await connection.fetchrow(FIND_PROVISION, organization_id, reference_id)
    return _to_provision(row) if row else None


FIND_BY_TAG = "SELECT * FROM provisions WHERE tag = $1"


async def find_by_tag(connection: Connection, tag: str) -> Provision | None:
    """Return an intent, unless it was withdrawn."""
    row = await connection.fetchrow(FIND_BY_TAG, tag)
    return _to_provision(row) if row else None


SAVE_PROVISION = """
UPDATE provisions
SET account_sid = $2, double_account_sids = $3, last_error = $4, refusal_code = $5,
    attempt_count = $6, due_time = $7, claim_number = $8, lease_end_time = $9,
    next_create_time = $10, register_time = $11, failing_time = $12
WHERE tag = $1
"""


async def save(connection: Connection, provision: Provision) -> None:
    """Write an intent whose organization is locked."""
    await connection.execute(SAVE_PROVISION, provision.tag, *_state_columns(provision))


DELETE_PROVISION = "DELETE FROM provisions WHERE tag = $1 AND account_sid IS NULL"


async def withdraw(connection: Connection, provision: Provision) -> None:
    """Forget an intent of which nothing was made."""
    await connection.execute(DELETE_PROVISION, provision.tag)


LIST_DUE = """
SELECT tag, organization_id FROM provisions
WHERE due_time <= now() AND (lease_end_time IS NULL OR lease_end_time <= now())
  AND (SELECT state FROM twilio_trouble) = 'OK'
ORDER BY due_time
LIMIT $1
"""


@dataclass(frozen=True, slots=True)
class DueProvision:
    """An intent that something is to be done for."""

    tag: str
    organization_id: str


async def list_due(connection: Connection, limit: int) -> list[DueProvision]:
    """Return intents that something is to be done for and nobody is at."""
    rows = await connection.fetch(LIST_DUE, limit)
    return [DueProvision(row["tag"], row["organization_id"]) for row in rows]


LIST_PROVISIONS = """
SELECT * FROM provisions
WHERE (organization_id, reference_id) > ($1, $2)
  AND ($3::text = '' OR organization_id = $3)
  AND ($4::boolean IS NULL OR $4 = (account_sid IS NULL))
  AND ($5::boolean IS NULL OR $5 = (last_error <> ''))
ORDER BY organization_id, reference_id
LIMIT $6
"""


async def list_provisions(
    connection: Connection, which: ProvisionFilter, after: tuple[str, str], limit: int
) -> list[Provision]:
    """Return intents after the given one, by organization and reference."""
    rows = await connection.fetch(
        LIST_PROVISIONS, *after, which.organization_id, which.open, which.failing, limit
    )
    return [_to_provision(row) for row in rows]


def _state_columns(provision: Provision) -> tuple[object, ...]:
    return (
        provision.account_sid,
        provision.double_account_sids,
        provision.last_error,
        provision.refusal_code,
        provision.attempt_count,
        provision.due_time,
        provision.claim_number,
        provision.lease_end_time,
        provision.next_create_time,
        provision.register_time,
        provision.failing_time,
    )


def _to_provision(row: Record) -> Provision:
    return Provision(
        organization_id=row["organization_id"],
        reference_id=row["reference_id"],
        brand_id=row["brand_id"],
        friendly_name=row["friendly_name"],
        tag=row["tag"],
        create_time=row["create_time"],
        due_time=row["due_time"],
        account_sid=row["account_sid"],
        register_time=row["register_time"],
        double_account_sids=tuple(row["double_account_sids"]),
        last_error=row["last_error"],
        failing_time=row["failing_time"],
        refusal_code=row["refusal_code"],
        attempt_count=row["attempt_count"],
        claim_number=row["claim_number"],
        lease_end_time=row["lease_end_time"],
        next_create_time=row["next_create_time"],
    )
