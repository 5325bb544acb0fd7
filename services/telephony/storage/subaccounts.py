"""Subaccounts: what is wanted of them, and how they stand."""

from datetime import datetime

from libs.database import Connection, Record
from services.telephony.domain.decision import standing_at
from services.telephony.domain.reconciling import states_to_drive
from services.telephony.domain.values import (
    ObservedState,
    Standing,
    Subaccount,
    SubaccountFilter,
    WantedState,
)
from services.telephony.storage.organizations import to_organization

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


async def insert(connection: Connection, subaccount: Subaccount) -> None:
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


async def find(connection: Connection, account_sid: str) -> Subaccount | None:
    """Return a subaccount as it is written down."""
    row = await connection.fetchrow(FIND_SUBACCOUNT, account_sid)
    return _to_subaccount(row) if row else None


SAVE_SUBACCOUNT = """
UPDATE subaccounts
SET wanted = $2, observed = $3, last_error = $4, attempt_count = $5, next_attempt_time = $6,
    claim_number = $7, lease_end_time = $8, recheck_time = $9, observe_time = $10
WHERE account_sid = $1
"""


async def save(connection: Connection, subaccount: Subaccount) -> None:
    """Write a subaccount whose organization is locked."""
    await connection.execute(SAVE_SUBACCOUNT, subaccount.account_sid, *_state_columns(subaccount))


READ_SUBACCOUNT = """
SELECT *, statement_timestamp() AS now
FROM subaccounts JOIN organizations USING (organization_id)
WHERE account_sid = $1
"""


async def read(connection: Connection, account_sid: str) -> Standing | None:
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


async def list_standings(
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
    return standing_at(_to_subaccount(row), to_organization(row), row["now"])
