"""What PostgreSQL reads of the inbox, whatever it believes of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from services.billing_gateway.app import PLANNING
from services.billing_gateway.domain.values import Provider
from services.billing_gateway.storage.inbox import claim_next
from services.billing_gateway.storage.overview import count_all
from tests.conftest import MakeDatabase
from tests.support.databases import ServiceDatabase
from tests.support.rows_read import rows_read

EVENTS = """
INSERT INTO webhook_events (provider, event_id, event_type, body, state, next_attempt_time)
SELECT 'STRIPE', $1 || number, 'any', '{}', $1, now() - number * interval '1 ms'
FROM generate_series(1, $2::bigint) AS number
"""
WAITING = 5_000
# How many are settled and how many wait already when the planner looks, if it does.
LAST_SEEN = {
    "never": (0, 0, False),
    "never, settled": (2_000, 0, False),
    "empty": (0, 0, True),
    "few settled": (10, 0, True),
    "few waiting": (0, 10, True),
    "many settled": (20_000, 0, True),
}
# More often than PostgreSQL tries before it keeps a plan for good.
EXECUTIONS = 8


@pytest.fixture
async def database(make_database: MakeDatabase) -> ServiceDatabase:
    """The gateway's database."""
    return await make_database("billing_gateway")


@pytest.fixture
async def superuser(database: ServiceDatabase) -> AsyncIterator[Any]:
    """Whoever fills the inbox; nobody but a test counts it."""
    connection = await asyncpg.connect(database.superuser_url)
    await connection.execute("ALTER TABLE webhook_events SET (autovacuum_enabled = off)")
    yield connection
    await connection.close()


@asynccontextmanager
async def connected(database: ServiceDatabase) -> AsyncIterator[Any]:
    """A connection as the service has it."""
    connection = await asyncpg.connect(database.url, server_settings=PLANNING)
    yield connection
    await connection.close()


async def claim(role: Any) -> None:
    """Claim one of Stripe's, the only provider that is heard."""
    await claim_next(role, [Provider.PAYPAL])


@pytest.mark.parametrize("last_seen", LAST_SEEN)
async def test_to_claim_the_next_event_reads_no_more_than_it(
    database: ServiceDatabase, superuser: Any, last_seen: str
) -> None:
    settled_count, waiting_count, is_counted = LAST_SEEN[last_seen]
    await superuser.execute(EVENTS, "DONE", settled_count)
    await superuser.execute(EVENTS.replace("$1 ||", "'old' ||"), "RECEIVED", waiting_count)
    if is_counted:
        await superuser.execute("VACUUM ANALYZE webhook_events")
    async with connected(database) as old, connected(database) as new:
        for _ in range(EXECUTIONS):
            await claim(old)
        await superuser.execute(EVENTS, "RECEIVED", WAITING)
        for _ in range(EXECUTIONS):
            for role in (old, new):
                assert await rows_read(superuser, role, "webhook_events", claim) == 1


async def test_to_count_what_waits_reads_nothing_that_is_settled(
    database: ServiceDatabase, superuser: Any
) -> None:
    await superuser.execute(EVENTS, "DONE", 20_000)
    for state in ("RECEIVED", "PARKED", "DEAD"):
        await superuser.execute(EVENTS, state, 3)
    await superuser.execute("VACUUM ANALYZE webhook_events")

    async def count(role: Any) -> object:
        async with role.transaction():
            return await count_all(role)

    async with connected(database) as role:
        for _ in range(EXECUTIONS):
            # Those that wait, the last one, and of each state the oldest, which are of one time.
            assert await rows_read(superuser, role, "webhook_events", count) <= 9 + 1 + 3 * 3
