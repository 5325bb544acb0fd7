"""What a service does when its database is busy, or has ended its session."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import asyncpg
import pytest
from pydantic import SecretStr

from libs.database import ATTEMPTS_MAX, Connection, Database, DatabaseUnavailableError
from tests.conftest import MakeDatabase
from tests.support.databases import ServiceDatabase
from tests.support.locks import rows_locked
from tests.support.waiting import eventually

MAKE_ROW = (
    "INSERT INTO wallets (organization_id, create_time, update_time) VALUES ('org', now(), now())"
)
LOCK_ROW = "SELECT pg_backend_pid() FROM wallets WHERE organization_id = 'org' FOR UPDATE"

Connect = Callable[..., Awaitable[Database]]


@pytest.fixture
async def made(make_database: MakeDatabase) -> ServiceDatabase:
    """A database with a row to lock."""
    database = await make_database("wallet")
    connection = await asyncpg.connect(database.superuser_url)
    await connection.execute(MAKE_ROW)
    await connection.close()
    return database


@pytest.fixture
async def connect(made: ServiceDatabase) -> AsyncIterator[Connect]:
    """Ways to it, as services have them."""
    async with AsyncExitStack() as stack:

        async def connect(**server_settings: str) -> Database:
            database = await Database.connect(SecretStr(made.url), 1, "test", server_settings)
            stack.push_async_callback(database.close)
            return database

        yield connect


class Locking:
    """Locks the row, and counts how often it was tried."""

    def __init__(self) -> None:
        self.tries = 0

    async def lock(self, connection: Connection) -> None:
        """Wait for the row."""
        self.tries += 1
        await connection.execute(LOCK_ROW)

    async def count(self) -> int:
        """Return how often it was tried."""
        return self.tries


async def test_who_waits_too_long_for_a_lock_tries_again(
    made: ServiceDatabase, connect: Connect
) -> None:
    database, locking = await connect(), Locking()
    async with rows_locked(made, ["org"]):
        waiting = asyncio.ensure_future(database.transact(locking.lock))
        await eventually(locking.count, lambda count: count > 1)
    await waiting


async def test_a_lock_that_nobody_lets_go_of_is_not_waited_for_for_ever(
    made: ServiceDatabase, connect: Connect
) -> None:
    database, locking = await connect(lock_timeout="10ms"), Locking()
    async with rows_locked(made, ["org"]):
        with pytest.raises(DatabaseUnavailableError):
            await database.transact(locking.lock)
    assert locking.tries == ATTEMPTS_MAX


async def test_who_idles_in_a_transaction_loses_its_locks_and_does_its_work_again(
    connect: Connect,
) -> None:
    stalled, other = await connect(idle_in_transaction_session_timeout="50ms"), await connect()
    sessions: list[int] = []

    async def lock_and_stall(connection: Connection) -> int:
        sessions.append(await connection.fetchval(LOCK_ROW))
        if len(sessions) == 1:
            await other.transact(Locking().lock)
        return int(await connection.fetchval(LOCK_ROW))

    assert await stalled.transact(lock_and_stall) == sessions[1]
    assert sessions[0] != sessions[1]


async def test_every_session_has_time_outs(connect: Connect) -> None:
    database = await connect()

    async def show(connection: Connection) -> list[str]:
        names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
        return [await connection.fetchval(f"SHOW {name}") for name in names]

    assert await database.run(show) == ["750ms", "8s", "10s"]


async def test_a_value_that_cannot_be_encoded_is_no_trouble_of_the_database(
    connect: Connect,
) -> None:
    database, tries = await connect(), 0

    async def send(connection: Connection) -> None:
        nonlocal tries
        tries += 1
        await connection.execute("SELECT $1::bigint", 2**63)

    with pytest.raises(asyncpg.DataError):
        await database.run(send)
    assert tries == 1


async def test_many_who_ask_whether_it_is_there_do_not_make_it_look_dead(connect: Connect) -> None:
    """As when a stranger asks an open door for its readiness, again and again."""
    database = await connect()
    answers = await asyncio.gather(*(database.is_there() for _ in range(50_000)))
    assert all(answers)


async def test_whether_it_is_there_is_asked_anew_each_time(connect: Connect) -> None:
    database = await connect()
    assert await database.is_there()
    await database.close()
    assert not await database.is_there()
