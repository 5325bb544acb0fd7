"""Whoever waits is woken by what any process says, and by whatever may have gone unheard."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from pydantic import SecretStr

from dev.postgres import EmbeddedPostgres
from libs.listening import Listener
from tests.support.database_door import DatabaseDoor
from tests.support.databases import FAST_SETTINGS
from tests.support.services import free_address
from tests.support.waiting import eventually

pytestmark = pytest.mark.database

CHANNEL = "news"
LISTENERS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'listen_news'"
END_LISTENERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'listen_news'
"""
NEVER_SECONDS = 3600.0
SOON_SECONDS = 0.2
LIMIT_SECONDS = 15.0

Execute = Callable[[str], Awaitable[None]]


@pytest.fixture
async def execute(postgres: EmbeddedPostgres) -> AsyncIterator[Execute]:
    """Another session, with which anything may be said and done."""
    connection = await asyncpg.connect(postgres.superuser_url())

    async def execute(statement: str) -> None:
        await connection.execute(statement)

    yield execute
    await connection.close()


@asynccontextmanager
async def running(listener: Listener) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(listener.run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, LIMIT_SECONDS)


@asynccontextmanager
async def hearing(listener: Listener, key: str = "org-1") -> AsyncIterator[asyncio.Event]:
    """Run a listener and wait until it hears, which wakes everybody."""
    with listener.waiting_for(key) as woken:
        async with running(listener):
            await is_woken(woken)
            yield woken


async def is_woken(event: asyncio.Event) -> None:
    """Wait until somebody is woken, and wait for the next time from now on."""
    await asyncio.wait_for(event.wait(), LIMIT_SECONDS)
    event.clear()


def listener_at(url: str, check_seconds: float = NEVER_SECONDS) -> Listener:
    return Listener(
        SecretStr(url), CHANNEL, check_seconds=check_seconds, answer_seconds=SOON_SECONDS * 5
    )


async def sessions_of_listeners(postgres: EmbeddedPostgres) -> list[int]:
    connection = await asyncpg.connect(postgres.superuser_url())
    try:
        return [row["pid"] for row in await connection.fetch(LISTENERS)]
    finally:
        await connection.close()


async def another_session(postgres: EmbeddedPostgres, before: list[int]) -> None:
    """Wait until a listener has a connection that it had not before."""
    await eventually(
        lambda: sessions_of_listeners(postgres), lambda now: bool(set(now) - set(before))
    )


async def test_who_waits_for_a_key_is_woken_by_it_and_by_what_is_for_everybody(
    postgres: EmbeddedPostgres, execute: Execute
) -> None:
    listener = listener_at(postgres.superuser_url())
    async with hearing(listener) as one:
        with listener.waiting_for("org-2") as two, listener.waiting_for("org-2") as also_two:
            await execute("SELECT pg_notify('news', 'org-3'), pg_notify('other', 'org-1')")
            await execute("NOTIFY news, 'org-2'")
            await is_woken(two)
            await is_woken(also_two)
            assert not one.is_set()

            await execute("NOTIFY news")
            await is_woken(one)
            await is_woken(two)

        await execute("NOTIFY news, 'org-2'")
        await execute("NOTIFY news, 'org-1'")
        await is_woken(one)
        assert not two.is_set()


async def test_who_is_told_in_a_transaction_is_woken_when_it_is_committed(
    postgres: EmbeddedPostgres,
) -> None:
    async with hearing(listener_at(postgres.superuser_url())) as woken, AsyncExitStack() as stack:
        connection = await asyncpg.connect(postgres.superuser_url())
        stack.push_async_callback(connection.close)
        for number in range(100):
            async with connection.transaction():
                await connection.execute("SELECT pg_notify('news', 'org-1')")
                assert not woken.is_set(), number
            await is_woken(woken)


async def test_who_loses_the_connection_wakes_everybody_and_hears_again(
    postgres: EmbeddedPostgres, execute: Execute
) -> None:
    async with hearing(listener_at(postgres.superuser_url())) as woken:
        before = await sessions_of_listeners(postgres)
        await execute(END_LISTENERS)
        await is_woken(woken)

        await another_session(postgres, before)
        await is_woken(woken)
        await execute("NOTIFY news, 'org-1'")
        await is_woken(woken)


async def test_what_was_said_while_the_database_restarted_is_looked_for(tmp_path: Path) -> None:
    port = int(free_address().rpartition(":")[2])
    async with (
        EmbeddedPostgres(tmp_path, port, FAST_SETTINGS) as postgres,
        hearing(listener_at(postgres.superuser_url())) as woken,
    ):
        await postgres.stop()
        await is_woken(woken)
        await postgres.start()
        await another_session(postgres, [])
        await is_woken(woken)

        connection = await asyncpg.connect(postgres.superuser_url())
        await connection.execute("NOTIFY news, 'org-1'")
        await connection.close()
        await is_woken(woken)


@asynccontextmanager
async def door_to(postgres: EmbeddedPostgres) -> AsyncIterator[tuple[DatabaseDoor, str]]:
    """Hand out a way to the server, and the address of its far end."""
    url = urlsplit(postgres.superuser_url())
    assert url.hostname is not None
    assert url.port is not None
    door = DatabaseDoor(url.hostname, url.port)
    await door.open()
    user, _, _ = url.netloc.rpartition("@")
    try:
        yield door, urlunsplit(url._replace(netloc=f"{user}@{url.hostname}:{door.port}"))
    finally:
        await door.shut()


async def test_a_connection_that_hangs_is_given_up_and_another_hears(
    postgres: EmbeddedPostgres, execute: Execute
) -> None:
    async with (
        door_to(postgres) as (door, url),
        hearing(listener_at(url, check_seconds=SOON_SECONDS)) as woken,
    ):
        before = await sessions_of_listeners(postgres)
        await door.hang()
        await execute("NOTIFY news, 'org-1'")
        # Nothing tells it that the connection hangs: it has asked, and heard nothing.
        await is_woken(woken)
        await door.open()

        await another_session(postgres, before)
        await is_woken(woken)


async def test_it_is_not_kept_from_stopping_by_a_server_that_hangs(
    postgres: EmbeddedPostgres,
) -> None:
    async with door_to(postgres) as (door, url), hearing(listener_at(url)):
        await door.hang()


async def test_it_waits_for_a_database_that_is_not_there_yet(postgres: EmbeddedPostgres) -> None:
    async with door_to(postgres) as (door, url):
        await door.shut()
        listener = listener_at(url)
        with listener.waiting_for("org-1") as woken:
            async with running(listener):
                await door.open()
                await is_woken(woken)
