"""The ledger as it was written: at a time, and listed, newest first."""

from datetime import datetime, timedelta
from typing import NamedTuple

from libs.database import Connection
from services.wallet.domain.filters import EntryFilter
from services.wallet.domain.values import Entry, EntryType
from services.wallet.storage.entries import to_entry

MICROSECOND = timedelta(microseconds=1)
SEQUENCE_MAX = 2**63 - 1

# A wallet's time never falls: its entries can be searched as a sorted list, by their primary key.
# Where an entry is missing, the next one is looked at.
FIND_LAST_UNTIL = """
WITH RECURSIVE search (low, high) AS (
    SELECT 0::bigint, coalesce(max(sequence), 0) FROM entries WHERE organization_id = $1
    UNION ALL
    SELECT
        CASE WHEN looked_at.create_time <= $2 THEN looked_at.sequence ELSE low END,
        CASE WHEN looked_at.create_time <= $2 THEN high ELSE (low + high + 1) / 2 - 1 END
    FROM search
    CROSS JOIN LATERAL (
        SELECT sequence, create_time FROM entries
        WHERE organization_id = $1 AND sequence >= (low + high + 1) / 2
        ORDER BY sequence
        LIMIT 1
    ) AS looked_at
    WHERE low < high
)
SELECT max(low) FROM search
"""


async def find_last_until(connection: Connection, organization_id: str, time: datetime) -> int:
    """Return the sequence of a wallet's last entry at or before a time, 0 if there is none."""
    sequence: int = await connection.fetchval(FIND_LAST_UNTIL, organization_id, time)
    return sequence


FIND_LAST_ENTRY = """
SELECT * FROM entries
WHERE organization_id = $1 AND sequence <= $2
ORDER BY sequence DESC
LIMIT 1
"""


async def find_entry_at(
    connection: Connection, organization_id: str, time: datetime
) -> Entry | None:
    """Return a wallet's last entry at or before a time."""
    sequence = await find_last_until(connection, organization_id, time)
    row = await connection.fetchrow(FIND_LAST_ENTRY, organization_id, sequence)
    return to_entry(row) if row else None


# By reference first: neither the order nor the limit shall make the planner walk the whole wallet.
OF_ONE_BY_REFERENCE = """
WITH found AS MATERIALIZED (
    SELECT * FROM entries WHERE organization_id = $1 AND reference_id = $4
    UNION ALL
    SELECT * FROM entries
    WHERE organization_id = $1 AND freeze_reference_id = $4 AND freeze_reference_id <> ''
)
SELECT * FROM found WHERE sequence > $2 AND sequence < $3
"""

OF_ONE = """
SELECT * FROM entries WHERE organization_id = $1 AND sequence > $2 AND sequence < $3
"""

NEWEST_FIRST = " ORDER BY sequence DESC LIMIT ${}"


async def list_entries(
    connection: Connection, wanted: EntryFilter, before_sequence: int | None, limit: int
) -> list[Entry]:
    """Return a wallet's entries, newest first, before the given one."""
    after, until = await _sequences_between(connection, wanted)
    before = min(before_sequence or SEQUENCE_MAX, until + 1)
    values: list[object] = [wanted.organization_id, after, before]
    statement = OF_ONE
    if wanted.reference_id:
        statement = OF_ONE_BY_REFERENCE
        values.append(wanted.reference_id)
    statement += _conditions(wanted, values)
    values.append(limit)
    rows = await connection.fetch(statement + NEWEST_FIRST.format(len(values)), *values)
    return [to_entry(row) for row in rows]


async def _sequences_between(connection: Connection, wanted: EntryFilter) -> tuple[int, int]:
    """Return the last sequence before the time that is asked for, and the last one within it."""
    after, until = 0, SEQUENCE_MAX - 1
    if wanted.start_time:
        before_start = wanted.start_time - MICROSECOND
        after = await find_last_until(connection, wanted.organization_id, before_start)
    if wanted.end_time:
        before_end = wanted.end_time - MICROSECOND
        until = await find_last_until(connection, wanted.organization_id, before_end)
    return after, until


def _conditions(wanted: EntryFilter, values: list[object]) -> str:
    """Return what else restricts; the empty string that indexes leave out must be ruled out."""
    conditions = ""
    if wanted.type:
        values.append(wanted.type)
        conditions += f" AND type = ${len(values)}"
    if wanted.payment_id:
        values.append(wanted.payment_id)
        conditions += f" AND payment_id = ${len(values)}"
    if wanted.actor:
        values.append(wanted.actor)
        conditions += f" AND actor = ${len(values)} AND actor <> ''"
    return conditions


# Those that the index entries_rare_types leaves out.
FREQUENT_TYPES = frozenset({EntryType.DEBIT, EntryType.HOLD, EntryType.CAPTURE, EntryType.RELEASE})
FIRST_WINDOW = timedelta(minutes=1)
WINDOW_GROWTH = 4

OF_ALL = """
SELECT * FROM entries
WHERE create_time >= $1 AND create_time < $2
  AND (create_time, organization_id, sequence) < ($3, $4, $5)
"""

# In the index's own words: of a parameter the planner cannot tell that it is none of them.
IS_RARE = " AND type NOT IN ('DEBIT', 'HOLD', 'CAPTURE', 'RELEASE')"

NEWEST_OF_ALL_FIRST = " ORDER BY create_time DESC, organization_id DESC, sequence DESC LIMIT ${}"


class Place(NamedTuple):
    """Where an entry stands among those of all wallets."""

    create_time: datetime
    organization_id: str
    sequence: int


class Span(NamedTuple):
    """From a time until before another."""

    start_time: datetime
    end_time: datetime


async def list_entries_of_all(
    connection: Connection, wanted: EntryFilter, span: Span, before: Place, limit: int
) -> list[Entry]:
    """Return entries of one type of all wallets, newest first, before the given place.

    The frequent types have no index to read in order: they are read by spans that grow, so that
    the newest are not looked for among all.
    """
    if wanted.type not in FREQUENT_TYPES:
        return await _list_span(connection, wanted, span, before, limit)
    found: list[Entry] = []
    end, width = min(before.create_time + MICROSECOND, span.end_time), FIRST_WINDOW
    while len(found) < limit and end > span.start_time:
        start = max(span.start_time, end - width)
        room = limit - len(found)
        found += await _list_span(connection, wanted, Span(start, end), before, room)
        end, width = start, width * WINDOW_GROWTH
    return found


async def _list_span(
    connection: Connection, wanted: EntryFilter, span: Span, before: Place, limit: int
) -> list[Entry]:
    values: list[object] = [*span, *before]
    statement = OF_ALL if wanted.type in FREQUENT_TYPES else OF_ALL + IS_RARE
    if wanted.reference_id:
        values.append(wanted.reference_id)
        statement += f" AND ${len(values)} IN (reference_id, freeze_reference_id)"
    statement += _conditions(wanted, values)
    values.append(limit)
    rows = await connection.fetch(statement + NEWEST_OF_ALL_FIRST.format(len(values)), *values)
    return [to_entry(row) for row in rows]
