"""A migration that somebody's lock is in the way of: who works meanwhile is not held up by it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from libs.database import ATTEMPTS_MAX, LOCK_TIMEOUT, Connection, Database
from libs.migrations import DEFAULT_PATIENCE, Patience, migrate
from tests.conftest import MakeDatabase
from tests.support.databases import ServiceDatabase
from tests.support.locks import lock_waits
from tests.support.waiting import eventually

pytestmark = pytest.mark.database

PATIENCE = Patience(lock_seconds=0.5, pause_seconds=0.3, attempts_max=100)
LIMIT_SECONDS = 15.0
HAS_COLUMN = """
SELECT count(*) FROM pg_attribute WHERE attrelid = 'campaigns'::regclass AND attname = 'mine'
"""


@pytest.fixture
async def database(make_database: MakeDatabase) -> ServiceDatabase:
    """One that a migration is to change."""
    return await make_database("campaign")


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """What waits for everybody who reads or writes a table."""
    (tmp_path / "0001_mine.sql").write_text("ALTER TABLE campaigns ADD mine text;\n")
    return tmp_path


@asynccontextmanager
async def somebody_reading(database: ServiceDatabase) -> AsyncIterator[None]:
    """A person's transaction that goes on."""
    connection = await asyncpg.connect(database.superuser_url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT FROM campaigns")
            yield
    finally:
        await connection.close()


async def count_columns(database: ServiceDatabase) -> int:
    connection = await asyncpg.connect(database.superuser_url)
    try:
        return int(await connection.fetchval(HAS_COLUMN))
    finally:
        await connection.close()


async def count_campaigns(connection: Connection) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM campaigns"))


async def test_who_comes_after_a_waiting_migration_gets_on_before_the_lock_is_let_go(
    database: ServiceDatabase, migrations: Path
) -> None:
    service = await Database.connect(SecretStr(database.url), 1, "test")
    with capture_logs() as logs:
        async with somebody_reading(database):
            migrating = asyncio.create_task(migrate(database.superuser_url, migrations, PATIENCE))
            await eventually(lambda: lock_waits(database), lambda count: count == 1)
            assert await service.run(count_campaigns) == 0
            assert not migrating.done()
        await asyncio.wait_for(migrating, LIMIT_SECONDS)
    await service.close()
    assert await count_columns(database) == 1
    waits = [line for line in logs if line["event"] == "migration_waits_for_lock"]
    assert {line["migration"] for line in waits} == {"0001_mine.sql"}


async def test_a_migration_does_not_wait_for_ever(
    database: ServiceDatabase, migrations: Path
) -> None:
    impatience = Patience(lock_seconds=0.01, pause_seconds=0.01, attempts_max=3)
    with capture_logs() as logs:
        async with somebody_reading(database):
            with pytest.raises(asyncpg.LockNotAvailableError):
                await migrate(database.superuser_url, migrations, impatience)
    assert [line["attempt"] for line in logs] == [1, 2]
    assert await count_columns(database) == 0


def test_a_services_statement_outlasts_what_a_migration_waits() -> None:
    attempt_seconds = float(LOCK_TIMEOUT.removesuffix("ms")) / 1000
    assert DEFAULT_PATIENCE.lock_seconds < ATTEMPTS_MAX * attempt_seconds
