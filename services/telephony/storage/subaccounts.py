"""Subaccounts: what is wanted of them, and how they stand."""

from collections.abc import Mapping, Sequence

from libs.database import Connection, Record
from services.telephony.domain.aftermath import Aftermath
from services.telephony.domain.standing import standing_at
from services.telephony.domain.trouble import TwilioState, standing_with
from services.telephony.domain.values import (
    ObservedState,
    Standing,
    Subaccount,
    SubaccountFilter,
    WantedState,
)
from services.telephony.storage.organizations import to_organization

# As many as a page may have.
ANSWERED_MAX = 500

LIST_WANTED_OTHERWISE = """
SELECT subaccounts.*
FROM unnest($1::text[], $2::text[]) AS wishes (organization_id, wanted_now)
    JOIN subaccounts USING (organization_id)
WHERE wanted IS DISTINCT FROM wanted_now
"""


async def list_wanted_otherwise(
    connection: Connection, wishes: Mapping[str, WantedState | None]
) -> list[Subaccount]:
    """Return subaccounts of locked organizations of which something else is wanted now."""
    rows = await connection.fetch(LIST_WANTED_OTHERWISE, list(wishes), list(wishes.values()))
    return [_to_subaccount(row) for row in rows]


INSERT_SUBACCOUNT = """
INSERT INTO subaccounts (
    account_sid, organization_id, brand_id, create_time, wanted, observed, told, drift_time,
    last_error, failing_time, attempt_count, next_attempt_time, claim_number, driving_claim_number,
    lease_end_time, recheck_time, observe_time, urgent, aftermath_begin_time, aftermath_due_time,
    aftermath_attempt_count, aftermath_ended_call_count, aftermath_canceled_message_count,
    aftermath_found_call_count, aftermath_message_page, aftermath_message_refused,
    aftermath_clear_time, aftermath_error, aftermath_failing_time
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
    $22, $23, $24, $25, $26, $27, $28, $29
)
ON CONFLICT (account_sid) DO NOTHING
"""


async def insert(connection: Connection, subaccount: Subaccount) -> bool:
    """Register a subaccount, unless it is registered by whichever organization."""
    tag = await connection.execute(
        INSERT_SUBACCOUNT,
        subaccount.account_sid,
        subaccount.organization_id,
        subaccount.brand_id,
        subaccount.create_time,
        *_state_columns(subaccount),
    )
    return tag == "INSERT 0 1"


LIST_OF = "SELECT * FROM subaccounts WHERE organization_id = $1"


async def list_of(connection: Connection, organization_id: str) -> list[Subaccount]:
    """Return all subaccounts of an organization as they are written down."""
    return [_to_subaccount(row) for row in await connection.fetch(LIST_OF, organization_id)]


FIND = "SELECT * FROM subaccounts WHERE account_sid = ANY ($1::text[])"


async def find(connection: Connection, account_sids: Sequence[str]) -> dict[str, Subaccount]:
    """Return subaccounts as they are written down, by their SID."""
    rows = await connection.fetch(FIND, account_sids)
    return {row["account_sid"]: _to_subaccount(row) for row in rows}


SAVE = """
UPDATE subaccounts
SET wanted = new.wanted, observed = new.observed, told = new.told, drift_time = new.drift_time,
    last_error = new.last_error, failing_time = new.failing_time,
    attempt_count = new.attempt_count, next_attempt_time = new.next_attempt_time,
    claim_number = new.claim_number, driving_claim_number = new.driving_claim_number,
    lease_end_time = new.lease_end_time,
    recheck_time = new.recheck_time, observe_time = new.observe_time, urgent = new.urgent,
    aftermath_begin_time = new.begin_time, aftermath_due_time = new.due_time,
    aftermath_attempt_count = new.looks, aftermath_ended_call_count = new.ended_call_count,
    aftermath_canceled_message_count = new.canceled_message_count,
    aftermath_found_call_count = new.found_call_count, aftermath_message_page = new.message_page,
    aftermath_message_refused = new.message_refused, aftermath_clear_time = new.clear_time,
    aftermath_error = new.aftermath_error, aftermath_failing_time = new.aftermath_failing_time
FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[],
    $7::timestamptz[], $8::integer[], $9::timestamptz[], $10::bigint[], $11::bigint[],
    $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], $15::boolean[],
    $16::timestamptz[], $17::timestamptz[], $18::integer[], $19::integer[], $20::integer[],
    $21::integer[], $22::text[], $23::boolean[], $24::timestamptz[], $25::text[],
    $26::timestamptz[]
) AS new (
    account_sid, wanted, observed, told, drift_time, last_error, failing_time, attempt_count,
    next_attempt_time, claim_number, driving_claim_number, lease_end_time, recheck_time,
    observe_time, urgent, begin_time, due_time, looks, ended_call_count, canceled_message_count,
    found_call_count, message_page, message_refused, clear_time, aftermath_error,
    aftermath_failing_time
)
WHERE subaccounts.account_sid = new.account_sid
"""


async def save(connection: Connection, subaccounts: Sequence[Subaccount]) -> None:
    """Write subaccounts whose organizations are locked."""
    rows = [(subaccount.account_sid, *_state_columns(subaccount)) for subaccount in subaccounts]
    await connection.execute(SAVE, *zip(*rows, strict=True))


READ_SUBACCOUNT = """
SELECT *, statement_timestamp() AS now, (SELECT state FROM twilio_trouble) AS twilio_state
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
    SELECT *, statement_timestamp() AS now, (SELECT state FROM twilio_trouble) AS twilio_state,
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
  AND ($5::boolean IS NULL OR $5 = (last_error <> '' OR coalesce(aftermath_error, '') <> ''))
  AND ($6::text IS NULL OR wanted_now = $6)
  AND ($7::text IS NULL OR observed = $7)
  AND ($8::boolean IS NULL OR $8 = (subscription_revision IS NULL OR wallet_revision IS NULL))
ORDER BY account_sid
LIMIT $9
"""


async def list_standings(
    connection: Connection, which: SubaccountFilter, after: str, limit: int
) -> list[Standing]:
    """Return subaccounts as they stand now, after the given one."""
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


async def list_first(connection: Connection, organization_id: str) -> list[Standing]:
    """Return an organization's subaccounts as they stand now, as many as one answer may have."""
    which = SubaccountFilter(organization_id=organization_id)
    return await list_standings(connection, which, "", ANSWERED_MAX)


def _state_columns(subaccount: Subaccount) -> tuple[object, ...]:
    return (
        subaccount.wanted,
        subaccount.observed,
        subaccount.told,
        subaccount.drift_time,
        subaccount.last_error,
        subaccount.failing_time,
        subaccount.attempt_count,
        subaccount.next_attempt_time,
        subaccount.claim_number,
        subaccount.driving_claim_number,
        subaccount.lease_end_time,
        subaccount.recheck_time,
        subaccount.observe_time,
        subaccount.urgent,
        *_aftermath_columns(subaccount.aftermath),
    )


def _aftermath_columns(aftermath: Aftermath | None) -> tuple[object, ...]:
    if aftermath is None:
        return (None,) * 11
    return (
        aftermath.begin_time,
        aftermath.due_time,
        aftermath.attempt_count,
        aftermath.ended_call_count,
        aftermath.canceled_message_count,
        aftermath.found_call_count,
        aftermath.message_page,
        aftermath.message_refused,
        aftermath.clear_time,
        aftermath.last_error,
        aftermath.failing_time,
    )


def _to_subaccount(row: Record) -> Subaccount:
    return Subaccount(
        account_sid=row["account_sid"],
        organization_id=row["organization_id"],
        brand_id=row["brand_id"],
        wanted=WantedState(row["wanted"]) if row["wanted"] else None,
        observed=ObservedState(row["observed"]),
        told=ObservedState(row["told"]),
        drift_time=row["drift_time"],
        last_error=row["last_error"],
        failing_time=row["failing_time"],
        attempt_count=row["attempt_count"],
        next_attempt_time=row["next_attempt_time"],
        claim_number=row["claim_number"],
        driving_claim_number=row["driving_claim_number"],
        lease_end_time=row["lease_end_time"],
        recheck_time=row["recheck_time"],
        observe_time=row["observe_time"],
        create_time=row["create_time"],
        aftermath=_to_aftermath(row),
    )


def _to_aftermath(row: Record) -> Aftermath | None:
    if row["aftermath_begin_time"] is None:
        return None
    return Aftermath(
        begin_time=row["aftermath_begin_time"],
        due_time=row["aftermath_due_time"],
        attempt_count=row["aftermath_attempt_count"],
        ended_call_count=row["aftermath_ended_call_count"],
        canceled_message_count=row["aftermath_canceled_message_count"],
        found_call_count=row["aftermath_found_call_count"],
        message_page=row["aftermath_message_page"],
        message_refused=row["aftermath_message_refused"],
        clear_time=row["aftermath_clear_time"],
        last_error=row["aftermath_error"],
        failing_time=row["aftermath_failing_time"],
    )


def _to_standing(row: Record) -> Standing:
    standing = standing_at(_to_subaccount(row), to_organization(row), row["now"])
    return standing_with(TwilioState(row["twilio_state"]), standing)
