"""The ledger: appended to, and found by reference."""

from collections.abc import Iterable, Sequence

import asyncpg

from libs.database import Connection, Record
from services.wallet.domain.values import Entry, EntryType, FreezeReason
from services.wallet.storage.keys import Key, columns_of


class ReferenceUsedError(Exception):
    """A reference has had its effect before: whoever appends must look it up first."""


APPEND_ENTRIES = "SELECT append_entries($1::entries[])"


async def append_entries(connection: Connection, entries: Sequence[Entry]) -> None:
    """Append to the ledger, and move the money of the wallets with it."""
    try:
        await connection.execute(APPEND_ENTRIES, entries)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "entries_reference_once":
            raise ReferenceUsedError from error
        raise


FIND_BY_REFERENCES_OF_ONE = """
SELECT * FROM entries
WHERE organization_id = $1 AND reference_id = ANY($2)
ORDER BY sequence
"""

FIND_BY_REFERENCES = """
SELECT entries.*
FROM unnest($1::text[], $2::text[]) AS wanted (organization_id, reference_id)
JOIN entries
  ON entries.organization_id = wanted.organization_id
 AND entries.reference_id = wanted.reference_id
ORDER BY entries.sequence
"""


async def find_by_references(
    connection: Connection, keys: Iterable[Key]
) -> dict[Key, tuple[Entry, ...]]:
    """Return what was written under each reference, in its order; nothing for an unused one."""
    organization_ids, reference_ids = columns_of(keys)
    if len(set(organization_ids)) == 1:
        rows = await connection.fetch(FIND_BY_REFERENCES_OF_ONE, organization_ids[0], reference_ids)
    else:
        rows = await connection.fetch(FIND_BY_REFERENCES, organization_ids, reference_ids)
    found: dict[Key, tuple[Entry, ...]] = {}
    for row in rows:
        key = (row["organization_id"], row["reference_id"])
        found[key] = (*found.get(key, ()), to_entry(row))
    return found


def to_entry(row: Record) -> Entry:
    """Return the entry of a row, whose columns are the entry's fields."""
    entry = Entry(*row)
    return entry._replace(
        type=EntryType(entry.type),
        freeze_reason=FreezeReason(entry.freeze_reason) if entry.freeze_reason else None,
    )
