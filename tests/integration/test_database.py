"""What a service does when its database is busy, or has ended its session."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import asyncpg
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from libs.database import (
    ACQUIRE_TIMEOUT_SECONDS,
    ATTEMPTS_MAX,
    CONNECT_TIMEOUT_SECONDS,
    Connection,
    Database,
    DatabaseUnavailableError,
)
from tests.conftest import MakeDatabase
from tests.support.database_door import DatabaseDoor
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


@pytest.fixture
async def door(made: ServiceDatabase) -> AsyncIterator[DatabaseDoor]:
    """A way to the server that can be shut."""
    door = DatabaseDoor("127.0.0.1", int(str(urlsplit(made.url).port)))
    await door.open()
    yield door
    await door.shut()


def url_through(door: DatabaseDoor, database: ServiceDatabase, password: str = "") -> SecretStr:
    """Return where the database is for whoever goes through the door."""
    parts = urlsplit(database.url)
    netloc = f"wallet:{password or parts.password}@127.0.0.1:{door.port}"
    return SecretStr(parts._replace(netloc=netloc).geturl())


NO_ERRORS = {"lock_timeout": 0, "timeout": 0, "conflict": 0, "unavailable": 0}


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
    # It was no error in the end.
    assert database.error_counts == NO_ERRORS


async def test_a_lock_that_nobody_lets_go_of_is_not_waited_for_for_ever(
    made: ServiceDatabase, connect: Connect
) -> None:
    database, locking = await connect(lock_timeout="10ms"), Locking()
    async with rows_locked(made, ["org"]):
        with pytest.raises(DatabaseUnavailableError):
            await database.transact(locking.lock)
    assert locking.tries == ATTEMPTS_MAX
    assert database.error_counts == {**NO_ERRORS, "lock_timeout": 1}


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


async def test_what_keeps_connections_from_opening_is_said_once_until_it_is_another_thing(
    made: ServiceDatabase, door: DatabaseDoor
) -> None:
    database = await Database.connect(url_through(door, made, "hunter2"), 1, "test")
    with capture_logs() as logs:
        assert [await database.is_there() for _ in range(3)] == [False] * 3
        with pytest.raises(DatabaseUnavailableError):
            await database.run(Locking().lock)
        await door.shut()
        assert [await database.is_there() for _ in range(3)] == [False] * 3
    await database.close()
    reasons = [line["error"] for line in logs]
    assert [reason.partition(":")[0] for reason in reasons] == [
        "InvalidPasswordError",
        "ConnectionRefusedError",
    ]
    assert reasons[0].endswith('password authentication failed for user "wallet"')
    assert "hunter2" not in str(logs)


async def test_what_is_mended_and_breaks_again_is_said_again(
    made: ServiceDatabase, door: DatabaseDoor
) -> None:
    database = await Database.connect(url_through(door, made), 1, "test")
    with capture_logs() as logs:
        for _ in range(2):
            await door.open()
            await eventually(database.is_there, bool)
            await door.shut()
            await eventually(database.is_there, lambda there: not there)
            await database.is_there()
    await database.close()
    assert [line["event"] for line in logs] == ["database_cannot_be_reached"] * 2


async def test_a_server_without_the_tls_that_is_required_is_said_to_be_one(
    made: ServiceDatabase,
) -> None:
    database = await Database.connect(SecretStr(f"{made.url}?sslmode=require"), 1, "test")
    with capture_logs() as logs:
        assert not await database.is_there()
    await database.close()
    assert len(logs) == 1
    assert "rejected SSL upgrade" in logs[0]["error"]
    assert str(urlsplit(made.url).password) not in str(logs)


async def test_a_server_that_does_not_answer_is_said_to_be_one(
    made: ServiceDatabase, door: DatabaseDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for the connection gives up no sooner than what is to open it."""
    assert CONNECT_TIMEOUT_SECONDS < ACQUIRE_TIMEOUT_SECONDS
    monkeypatch.setattr("libs.database.CONNECT_TIMEOUT_SECONDS", 0.05)
    await door.hang()
    database = await Database.connect(url_through(door, made), 1, "test")
    with capture_logs() as logs:
        assert not await database.is_there()
    await database.close()
    assert [line["error"] for line in logs] == ["TimeoutError"]
