"""What a proof of a wallet reads, and what a repair writes."""

from collections.abc import Sequence

from libs.database import Connection
from services.wallet.domain.standing import Standing
from services.wallet.domain.values import Entry

READ_CHUNK = """
SELECT * FROM entries
WHERE organization_id = $1 AND sequence > $2
ORDER BY sequence
LIMIT $3
"""


async def read_chunk(
    connection: Connection, organization_id: str, after: int, limit: int
) -> list[Entry]:
    """Return the next entries of a wallet, as they stand: types and reasons are plain strings."""
    rows = await connection.fetch(READ_CHUNK, organization_id, after, limit)
    return [Entry(*row) for row in rows]


LAST_SEQUENCE = "SELECT coalesce(max(sequence), 0) FROM entries WHERE organization_id = $1"


async def last_sequence(connection: Connection, organization_id: str) -> int:
    """Return the sequence of a wallet's last entry, 0 if there is none."""
    sequence: int = await connection.fetchval(LAST_SEQUENCE, organization_id)
    return sequence


HAS_REPAIR_AFTER = """
SELECT EXISTS (
    SELECT FROM entries WHERE type = 'REPAIR' AND organization_id = $1 AND sequence > $2
)
"""


async def has_repair_after(connection: Connection, organization_id: str, sequence: int) -> bool:
    """Tell whether a wallet was repaired after an entry."""
    found: bool = await connection.fetchval(HAS_REPAIR_AFTER, organization_id, sequence)
    return found


READ_STANDING = """
SELECT
    sequence, chain, balance_after_micros, held_after_micros, owed_after_micros, currency_code,
    create_time
FROM entries
WHERE organization_id = $1 AND sequence <= $2
ORDER BY sequence DESC
LIMIT 1
"""


async def read_standing(
    connection: Connection, organization_id: str, sequence: int
) -> Standing | None:
    """Return how the wallet stands by an entry, or by the last one before it."""
    row = await connection.fetchrow(READ_STANDING, organization_id, sequence)
    return Standing(*row) if row else None


SUM_ON_HOLD = """
SELECT coalesce(sum(remaining_micros), 0)
FROM holds
WHERE organization_id = $1 AND state = 'OPEN'
"""


async def sum_on_hold(connection: Connection, organization_id: str) -> int:
    """Return what the open holds of a wallet have."""
    return int(await connection.fetchval(SUM_ON_HOLD, organization_id))


# Of those that are over nothing can come any more.
LIST_UNTOLD_HOLDS = """
SELECT reference_id FROM holds
WHERE organization_id = $1
  AND state IN ('OPEN', 'EXPIRED')
  AND NOT EXISTS (
      SELECT FROM entries
      WHERE organization_id = $1 AND reference_id = holds.reference_id AND type = 'HOLD'
  )
"""


async def list_untold_holds(connection: Connection, organization_id: str) -> list[str]:
    """Return the references of holds that no entry has placed, and that may still be captured."""
    rows = await connection.fetch(LIST_UNTOLD_HOLDS, organization_id)
    return [row["reference_id"] for row in rows]


READ_NEWEST = """
SELECT newest.*
FROM (
    SELECT organization_id FROM wallets
    WHERE last_sequence > 0
    ORDER BY update_time DESC
    LIMIT $1
) AS changed
CROSS JOIN LATERAL (
    SELECT * FROM entries
    WHERE entries.organization_id = changed.organization_id
    ORDER BY sequence DESC
    LIMIT $2
) AS newest
ORDER BY newest.organization_id, newest.sequence
"""


async def read_newest(
    connection: Connection, wallet_count: int, entry_count: int
) -> list[list[Entry]]:
    """Return the last entries of the wallets that have changed last, wallet by wallet."""
    rows = await connection.fetch(READ_NEWEST, wallet_count, entry_count)
    ledgers: dict[str, list[Entry]] = {}
    for row in rows:
        ledgers.setdefault(row["organization_id"], []).append(Entry(*row))
    return list(ledgers.values())


COUNT_WALLETS = "SELECT count(*) FROM wallets"


async def count_wallets(connection: Connection) -> int:
    """Return how many wallets there are."""
    count: int = await connection.fetchval(COUNT_WALLETS)
    return count


# A wallet that was deleted may have left entries, holds or payments.
NEXT_ORGANIZATION = """
SELECT min(organization_id)
FROM (
    (SELECT organization_id FROM wallets WHERE organization_id > $1
     ORDER BY organization_id LIMIT 1)
    UNION ALL
    (SELECT organization_id FROM entries WHERE organization_id > $1
     ORDER BY organization_id LIMIT 1)
    UNION ALL
    (SELECT organization_id FROM holds WHERE organization_id > $1
     ORDER BY organization_id LIMIT 1)
    UNION ALL
    (SELECT organization_id FROM payments WHERE organization_id > $1
     ORDER BY organization_id LIMIT 1)
) AS next
"""


async def next_organization(connection: Connection, after: str) -> str | None:
    """Return the next organization of which anything is there."""
    organization_id: str | None = await connection.fetchval(NEXT_ORGANIZATION, after)
    return organization_id


READ_CHAINS = """
SELECT sequence, chain FROM entries WHERE organization_id = $1 AND sequence = ANY($2)
"""


async def read_chains(
    connection: Connection, organization_id: str, sequences: Sequence[int]
) -> dict[int, bytes | None]:
    """Return the chains of entries, as far as they are there."""
    rows = await connection.fetch(READ_CHAINS, organization_id, sequences)
    return {row["sequence"]: row["chain"] for row in rows}


SUM_UP_LEDGER = "SELECT sum_up_ledger($1)"


async def sum_up_ledger(connection: Connection, organization_id: str) -> None:
    """Let the database know what a wallet's entries come to, before a repair holds its lock."""
    await connection.execute(SUM_UP_LEDGER, organization_id)


REPAIR_WALLET = "SELECT repair_wallet($1::entries)"


async def append_repair(connection: Connection, entry: Entry) -> None:
    """Append a REPAIR, and set the money of its wallet by it."""
    await connection.execute(REPAIR_WALLET, entry)
