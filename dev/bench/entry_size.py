"""The room that an entry takes on disk."""

import asyncpg

from dev.bench.ledgers import Ledger
from dev.bench.rows import Figures

BYTES_OF_AN_ENTRY = """
SELECT (pg_table_size('entries') + pg_indexes_size('entries'))::float8 / count(*) FROM entries
"""


async def measure_entry_size(ledger: Ledger) -> Figures:
    """Of what the service has written itself, with all indexes as they have grown."""
    connection = await asyncpg.connect(ledger.superuser_url)
    try:
        return {"entry_bytes": await connection.fetchval(BYTES_OF_AN_ENTRY)}
    finally:
        await connection.close()
