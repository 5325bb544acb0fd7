"""COPY of the very rows that a service has written, into a table like theirs."""

from datetime import datetime
from time import perf_counter

import asyncpg

CREATE_TABLE = "CREATE TABLE copied_entries (LIKE entries INCLUDING ALL)"

# Without an order it is the heap's: that in which the service has written them.
WRITTEN_SINCE = "SELECT * FROM entries WHERE create_time > $1"


async def create_table(superuser_url: str) -> None:
    connection = await asyncpg.connect(superuser_url)
    try:
        await connection.execute(CREATE_TABLE)
    finally:
        await connection.close()


async def database_time(superuser_url: str) -> datetime:
    connection = await asyncpg.connect(superuser_url)
    try:
        time: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return time
    finally:
        await connection.close()


async def copied_rows_per_second(superuser_url: str, written_since: datetime) -> float:
    """Copies by one command; reading the rows before does not count."""
    connection = await asyncpg.connect(
        superuser_url, server_settings={"synchronize_seqscans": "off"}
    )
    try:
        records = [tuple(row) for row in await connection.fetch(WRITTEN_SINCE, written_since)]
        start = perf_counter()
        await connection.copy_records_to_table("copied_entries", records=records)
        return len(records) / (perf_counter() - start)
    finally:
        await connection.close()
