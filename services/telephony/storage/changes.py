"""The history of subaccounts. It only grows."""

from collections.abc import Sequence

from libs.database import Connection, Record
from libs.paging import ChangeKey
from services.telephony.domain.changes import (
    ChangeCause,
    ChangeFilter,
    Reason,
    SubaccountChange,
)
from services.telephony.domain.values import ObservedState, WantedState

APPEND = """
INSERT INTO subaccount_changes (
    organization_id, account_sid, wanted_from, wanted_to, observed_from, observed_to, cause, actor,
    note, error, create_time, ended_call_count, canceled_message_count
)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::text[], $9::text[], $10::text[], $11::timestamptz[], $12::integer[],
    $13::integer[]
)
"""


async def append(connection: Connection, changes: Sequence[SubaccountChange]) -> None:
    """Write lines about subaccounts whose organizations are locked."""
    rows = [
        (
            change.organization_id,
            change.account_sid,
            change.wanted_from,
            change.wanted_to,
            change.observed_from,
            change.observed_to,
            change.reason.cause,
            change.reason.actor,
            change.reason.note,
            change.error,
            change.create_time,
            change.ended_call_count,
            change.canceled_message_count,
        )
        for change in changes
    ]
    await connection.execute(APPEND, *zip(*rows, strict=True))


LIST = """
SELECT * FROM subaccount_changes
WHERE ($1::text = '' OR organization_id = $1)
  AND ($2::text = '' OR account_sid = $2)
  AND ($3::timestamptz IS NULL OR create_time >= $3)
  AND ($4::timestamptz IS NULL OR create_time < $4)
  AND ($5::timestamptz IS NULL OR (create_time, sequence) < ($5, $6))
ORDER BY create_time DESC, sequence DESC
LIMIT $7
"""


async def list_changes(
    connection: Connection, which: ChangeFilter, before: ChangeKey, limit: int
) -> list[SubaccountChange]:
    """Return changes, newest first, before the given one."""
    rows = await connection.fetch(
        LIST,
        which.organization_id,
        which.account_sid,
        which.start_time,
        which.end_time,
        before.time,
        before.number,
        limit,
    )
    return [_to_change(row) for row in rows]


def _to_change(row: Record) -> SubaccountChange:
    return SubaccountChange(
        organization_id=row["organization_id"],
        account_sid=row["account_sid"],
        wanted_from=_wanted(row["wanted_from"]),
        wanted_to=_wanted(row["wanted_to"]),
        observed_from=ObservedState(row["observed_from"]),
        observed_to=ObservedState(row["observed_to"]),
        reason=Reason(ChangeCause(row["cause"]), row["actor"], row["note"]),
        error=row["error"],
        create_time=row["create_time"],
        ended_call_count=row["ended_call_count"],
        canceled_message_count=row["canceled_message_count"],
        sequence=row["sequence"],
    )


def _wanted(value: str | None) -> WantedState | None:
    return WantedState(value) if value else None
