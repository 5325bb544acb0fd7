"""Gives a ledger a long past: entries of many wallets, a tenth of them in one."""

import itertools
from collections.abc import Callable, Iterable, Iterator

import asyncpg

from dev.bench.ledgers import Ledger
from dev.bench.past import Past
from dev.bench.requests import organization_of
from services.wallet.domain.values import Entry

LARGE_WALLET = organization_of(0)
# One entry in so many is the large wallet's.
LARGE_WALLET_TURN = 10
SMALL_WALLETS_MAX = 1_000
ENTRIES_OF_SMALL_WALLET_LEAST = 100
REPORTED_ROWS = 10_000

LAST_ENTRIES = """
SELECT DISTINCT ON (organization_id) * FROM entries ORDER BY organization_id, sequence DESC
"""

MOVE_WALLETS = """
UPDATE wallets
SET last_sequence = last.sequence, balance_micros = last.balance_micros, chain = last.chain
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bytea[])
    AS last (organization_id, sequence, balance_micros, chain)
WHERE wallets.organization_id = last.organization_id
"""


async def fill(ledger: Ledger, entries: int, report: Callable[[int], None]) -> None:
    """Writes entries past the service, and reports how many more were written."""
    await ledger.open_wallets(map(organization_of, range(1 + small_wallet_count(entries))))
    await ledger.debit_once()
    connection = await asyncpg.connect(ledger.superuser_url)
    try:
        async with connection.transaction():
            await _write(connection, ledger.chain_key, entries, report)
        # Of its own, so that it does not fall into a measurement.
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


def small_wallet_count(entries: int) -> int:
    return min(SMALL_WALLETS_MAX, max(1, entries // ENTRIES_OF_SMALL_WALLET_LEAST))


def turns(small_wallets: Iterable[str], count: int) -> Iterator[str]:
    """The organizations of entries that come in turns; every tenth is the large wallet's."""
    small = itertools.cycle(small_wallets)
    for number in range(count):
        yield LARGE_WALLET if number % LARGE_WALLET_TURN == 0 else next(small)


async def _write(
    connection: "asyncpg.Connection[asyncpg.Record]",
    chain_key: str,
    entries: int,
    report: Callable[[int], None],
) -> None:
    last_entries = [Entry(*row) for row in await connection.fetch(LAST_ENTRIES)]
    past = Past(last_entries, chain_key)
    small_wallets = {entry.organization_id for entry in last_entries} - {LARGE_WALLET}
    written = (past.debit(organization_id) for organization_id in turns(small_wallets, entries))
    await connection.copy_records_to_table("entries", records=_reported(written, report))
    moved = past.last_entries
    await connection.execute(
        MOVE_WALLETS,
        [entry.organization_id for entry in moved],
        [entry.sequence for entry in moved],
        [entry.balance_after_micros for entry in moved],
        [entry.chain for entry in moved],
    )


def _reported(entries: Iterable[Entry], report: Callable[[int], None]) -> Iterator[Entry]:
    for number, entry in enumerate(entries, start=1):
        yield entry
        if number % REPORTED_ROWS == 0:
            report(REPORTED_ROWS)
