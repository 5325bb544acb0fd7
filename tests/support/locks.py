"""Locks that somebody else holds, and who waits for them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from tests.support.databases import ServiceDatabase


@asynccontextmanager
async def rows_locked(
    database: ServiceDatabase, organization_ids: Sequence[str]
) -> AsyncIterator[None]:
    """Hold wallets as a stalled session would."""
    connection = await asyncpg.connect(database.superuser_url)
    try:
        async with connection.transaction():
            await connection.execute(
                "SELECT FROM wallets WHERE organization_id = ANY($1) FOR UPDATE", organization_ids
            )
            yield
    finally:
        await connection.close()


async def lock_waits(database: ServiceDatabase) -> int:
    """Count the sessions that wait for a lock."""
    connection = await asyncpg.connect(database.superuser_url)
    try:
        count: int = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
    finally:
        await connection.close()
    return count
