"""Locks that somebody else holds, and who waits for them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from tests.support.databases import ServiceDatabase
from tests.support.waiting import eventually


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


async def deadlock_count(database: ServiceDatabase) -> int:
    """Return how often transactions waited for each other in a circle, when all sessions are over.

    A session counts in what it has seen when it ends.
    """
    connection = await asyncpg.connect(database.superuser_url)

    async def other_sessions() -> int:
        count: int = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return count

    try:
        await eventually(other_sessions, lambda count: count == 0)
        deadlocks: int = await connection.fetchval(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
    finally:
        await connection.close()
    return deadlocks


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
