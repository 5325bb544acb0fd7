"""The subaccounts' SQL: each statement above the one function that sends it."""

from dataclasses import dataclass
from datetime import datetime

from libs.database import Connection, Record
from libs.levels import subscription_columns, subscription_level_of, wallet_columns, wallet_level_of
from services.telephony.domain.decision import standing_at
from services.telephony.domain.reconciling import states_to_drive
from services.telephony.domain.values import (
    Due,
    DueSearch,
    ObservedState,
    OperatorBlock,
    Organization,
    Standing,
    Subaccount,
    SubaccountFilter,
    WantedState,
)

MAKE_ORGANIZATION = "INSERT INTO organizations (organization_id) VALUES ($1) ON CONFLICT DO NOTHING"


async def make_organization(connection: Connection, organization_id: str) -> None:
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


async def lock_organization(connection: Connection, organization_id: str) -> OrganizationRow:
    """Lock the organization's row, which was made, until the transaction ends."""
    row = await connection.fetchrow(LOCK_ORGANIZATION, organization_id)
    assert row is not None
    return OrganizationRow(_to_organization(row), row["now"])


SAVE_ORGANIZATION = """
UPDATE organizations
SET operator_block_note = $2, operator_block_actor = $3, operator_block_time = $4,
    subscription_revision = $5, subscription_state = $6, subscription_good_standing = $7,
    subscription_good_until = $8, wallet_revision = $9, wallet_frozen = $10,
    wallet_freeze_reasons = $11, wallet_depleted = $12, wallet_depleted_since = $13,
    wallet_owing_micros = $14, wallet_currency_code = $15, reevaluate_time = $16
WHERE organization_id = $1
"""


async def save_organization(connection: Connection, organization: Organization) -> None:
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


LIST_LAPSED = """
SELECT organization_id FROM organizations WHERE reevaluate_time <= now()
ORDER BY reevaluate_time
LIMIT $1
"""


async def list_lapsed_organizations(connection: Connection, limit: int) -> list[str]:
    """Return organizations that time alone has blocked."""
    return [row["organization_id"] for row in await connection.fetch(LIST_LAPSED, limit)]


# Who drives one of them at this moment keeps the right to until its lease ends.
WANT = """
UPDATE subaccounts
SET wanted = $2::text,
    next_attempt_time = CASE WHEN observed = ANY ($3::text[]) THEN $4 ELSE recheck_time END,
    last_error = CASE WHEN observed = ANY ($3::text[]) THEN last_error ELSE '' END,
    attempt_count = CASE WHEN observed = ANY ($3::text[]) THEN attempt_count ELSE 0 END
WHERE organization_id = $1 AND wanted IS DISTINCT FROM $2::text
"""


async def want(
    connection: Connection, organization_id: str, wanted: WantedState | None, now: datetime
) -> int:
    """Want one state of all subaccounts, and make due what must be driven; return the changes."""
    tag = await connection.execute(WANT, organization_id, wanted, states_to_drive(wanted), now)
    return int(tag.rpartition(" ")[2])


INSERT_SUBACCOUNT = """
INSERT INTO subaccounts (
    account_sid, organization_id, brand_id, wanted, observed, last_error, attempt_count,
    next_attempt_time, claim_number, lease_end_time, recheck_time, observe_time, create_time
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (account_sid) DO NOTHING
"""


async def insert_subaccount(connection: Connection, subaccount: Subaccount) -> None:
    """Register a subaccount unless it is registered, by whichever organization."""
    await connection.execute(
        INSERT_SUBACCOUNT,
        subaccount.account_sid,
        subaccount.organization_id,
        subaccount.brand_id,
        *_state_columns(subaccount),
        subaccount.create_time,
    )


FIND_SUBACCOUNT = "SELECT * FROM subaccounts WHERE account_sid = $1"


async def find_subaccount(connection: Connection, account_sid: str) -> Subaccount | None:
    """Return a subaccount as it is written down."""
    row = await connection.fetchrow(FIND_SUBACCOUNT, account_sid)
    return _to_subaccount(row) if row else None


SAVE_SUBACCOUNT = """
UPDATE subaccounts
SET wanted = $2, observed = $3, last_error = $4, attempt_count = $5, next_attempt_time = $6,
    claim_number = $7, lease_end_time = $8, recheck_time = $9, observe_time = $10
WHERE account_sid = $1
"""


async def save_subaccount(connection: Connection, subaccount: Subaccount) -> None:
    """Write a subaccount whose organization is locked."""
    await connection.execute(SAVE_SUBACCOUNT, subaccount.account_sid, *_state_columns(subaccount))


READ_SUBACCOUNT = """
SELECT *, statement_timestamp() AS now
FROM subaccounts JOIN organizations USING (organization_id)
WHERE account_sid = $1
"""


async def read_subaccount(connection: Connection, account_sid: str) -> Standing | None:
    """Read a subaccount as it stands now."""
    row = await connection.fetchrow(READ_SUBACCOUNT, account_sid)
    return _to_standing(row) if row else None


# An organization past its reevaluate_time is to be suspended, whether or not that is written yet.
LIST_SUBACCOUNTS = """
WITH standing AS (
    SELECT *, statement_timestamp() AS now,
        CASE WHEN reevaluate_time <= statement_timestamp() THEN 'SUSPENDED' ELSE wanted END
            AS wanted_now
    FROM subaccounts JOIN organizations USING (organization_id)
)
SELECT * FROM standing
WHERE account_sid > $1
  AND ($2::text = '' OR organization_id = $2)
  AND ($3::text = '' OR brand_id = $3)
  AND ($4::boolean IS NULL OR $4 = (
    wanted_now IS NOT NULL AND observed NOT IN (wanted_now, 'CLOSED')
  ))
  AND ($5::boolean IS NULL OR $5 = (last_error <> ''))
  AND ($6::text IS NULL OR wanted_now = $6)
  AND ($7::text IS NULL OR observed = $7)
  AND ($8::boolean IS NULL OR $8 = (subscription_revision IS NULL OR wallet_revision IS NULL))
ORDER BY account_sid
LIMIT $9
"""


async def list_subaccounts(
    connection: Connection, which: SubaccountFilter, after: str, limit: int | None
) -> list[Standing]:
    """Return subaccounts as they stand now, after the given one; all of them without a limit."""
    rows = await connection.fetch(
        LIST_SUBACCOUNTS,
        after,
        which.organization_id,
        which.brand_id,
        which.drifted,
        which.failing,
        which.wanted,
        which.observed,
        which.levels_missing,
        limit,
    )
    return [_to_standing(row) for row in rows]


READ_SENDING_SCOPE = """
SELECT *, statement_timestamp() AS now, ARRAY(
    SELECT observed FROM subaccounts
    WHERE subaccounts.organization_id = $1 AND ($2::text = '' OR brand_id = $2)
) AS observed_states
FROM (SELECT $1::text AS organization_id) AS asked LEFT JOIN organizations USING (organization_id)
"""


@dataclass(frozen=True, slots=True)
class SendingScope:
    """What decides whether an organization may send with some of its subaccounts."""

    organization: Organization
    observed_states: tuple[ObservedState, ...]
    now: datetime


async def read_sending_scope(
    connection: Connection, organization_id: str, brand_id: str
) -> SendingScope:
    """Read an organization and its subaccounts of one brand, or of all; it may be unknown."""
    row = await connection.fetchrow(READ_SENDING_SCOPE, organization_id, brand_id)
    assert row is not None
    states = tuple(ObservedState(state) for state in row["observed_states"])
    return SendingScope(_to_organization(row), states, row["now"])


# What was tried in vain comes behind what was never tried, so that it starves nobody.
LIST_DUE = """
SELECT account_sid, organization_id, wanted IS NOT DISTINCT FROM 'SUSPENDED' AS urgent
FROM subaccounts
WHERE next_attempt_time <= now()
  AND (lease_end_time IS NULL OR lease_end_time <= now())
  AND (wanted IS NOT DISTINCT FROM 'SUSPENDED') = $1
  AND account_sid <> ALL ($2::text[])
  AND organization_id <> ALL ($3::text[])
ORDER BY attempt_count > 0, next_attempt_time
LIMIT $4
"""


async def list_due(connection: Connection, search: DueSearch) -> list[Due]:
    """Return what is to be driven and is not being driven."""
    rows = await connection.fetch(
        LIST_DUE, search.urgent, search.busy_sids, search.held_up_organization_ids, search.limit
    )
    return [Due(row["account_sid"], row["organization_id"], row["urgent"]) for row in rows]


def _to_organization(row: Record) -> Organization:
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


def _state_columns(subaccount: Subaccount) -> tuple[object, ...]:
    return (
        subaccount.wanted,
        subaccount.observed,
        subaccount.last_error,
        subaccount.attempt_count,
        subaccount.next_attempt_time,
        subaccount.claim_number,
        subaccount.lease_end_time,
        subaccount.recheck_time,
        subaccount.observe_time,
    )


def _to_subaccount(row: Record) -> Subaccount:
    return Subaccount(
        account_sid=row["account_sid"],
        organization_id=row["organization_id"],
        brand_id=row["brand_id"],
        wanted=WantedState(row["wanted"]) if row["wanted"] else None,
        observed=ObservedState(row["observed"]),
        last_error=row["last_error"],
        attempt_count=row["attempt_count"],
        next_attempt_time=row["next_attempt_time"],
        claim_number=row["claim_number"],
        lease_end_time=row["lease_end_time"],
        recheck_time=row["recheck_time"],
        observe_time=row["observe_time"],
        create_time=row["create_time"],
    )


def _to_standing(row: Record) -> Standing:
    return standing_at(_to_subaccount(row), _to_organization(row), row["now"])
