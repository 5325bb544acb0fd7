"""The table of announcements, without a service."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from libs.announcing import storage
from libs.announcing.ports import Backlog, CurrentLevel, LevelKey
from libs.announcing.storage import BackOff, Line
from libs.database import Connection, Database
from tests.conftest import MakeDatabase
from tests.support.databases import ServiceDatabase
from tests.support.rows_read import rows_read

LINE, KEY = Line("subscription", "wallet"), LevelKey("org-1")
NO_PAUSE = BackOff(0.0, 0.0, jitter=1.0)
ACKNOWLEDGED = """
INSERT INTO announcements (
    organization_id, level, key, observer, revision, acknowledged_revision, due_time
)
SELECT 'org-' || number, 'subscription', '', 'wallet', 7, 7, now()
FROM generate_series(1, 8000) AS number
"""
PENDING = "UPDATE announcements SET revision = 8 WHERE organization_id IN ('org-7', 'org-70')"


@pytest.fixture
async def service_database(make_database: MakeDatabase) -> ServiceDatabase:
    """A database with the table; each that announces has it alike."""
    return await make_database("billing_gateway")


@pytest.fixture
async def database(service_database: ServiceDatabase) -> AsyncIterator[Database]:
    """As the service has it."""
    connected = await Database.connect(SecretStr(service_database.url), 1, "test")
    yield connected
    await connected.close()


async def mark(database: Database, revision: int, due_in_seconds: float = 0.0) -> None:
    level = CurrentLevel(KEY, revision)
    await database.run(storage.mark, LINE.level, [level], [LINE.observer], due_in_seconds)


async def backlog(database: Database) -> Backlog:
    [wallets] = await database.run(storage.read_backlogs, LINE.level, [LINE.observer])
    return wallets


async def pending_since(database: Database) -> datetime | None:
    return (await backlog(database)).oldest_time


async def test_a_connection_that_marked_nothing_is_as_good_as_before(
    database: Database,
) -> None:
    async def list_due(connection: Connection) -> list[LevelKey]:
        return await storage.list_due(connection, LINE, 1)

    await database.run(storage.mark, "subscription", [], ["wallet"], 1.0)
    # A snapshot can only be taken where no other one is.
    assert await database.read_snapshot(list_due) == []


async def test_what_is_due_is_not_put_off_by_being_marked_again(
    database: Database,
) -> None:
    for due_in_seconds in (0.0, 3600.0):
        await mark(database, 1, due_in_seconds)

    assert await database.run(storage.list_due, LINE, 1) == [KEY]


async def test_what_is_pending_is_so_since_its_first_revision_that_is_not_acknowledged(
    database: Database,
) -> None:
    nothing = Backlog(LINE.level, LINE.observer, 0, None, "")
    assert await backlog(database) == nothing
    await mark(database, 1)
    first = await pending_since(database)
    assert first is not None
    await mark(database, 2)
    await database.run(storage.postpone, LINE, KEY, NO_PAUSE, "UNAVAILABLE: away")
    assert await backlog(database) == Backlog(
        LINE.level, LINE.observer, 1, first, "UNAVAILABLE: away"
    )

    await database.run(storage.acknowledge, LINE, KEY, 1)
    second = await pending_since(database)
    assert second is not None
    assert second > first
    await database.run(storage.acknowledge, LINE, KEY, 1)
    assert await pending_since(database) == second

    await database.run(storage.acknowledge, LINE, KEY, 2)
    assert await backlog(database) == nothing
    await mark(database, 2)
    assert await database.run(storage.list_due, LINE, 1) == [KEY]
    assert await backlog(database) == nothing
    await database.run(storage.acknowledge, LINE, KEY, 1)
    assert await backlog(database) == nothing

    await mark(database, 3)
    third = await pending_since(database)
    assert third is not None
    assert third > second


async def test_to_count_what_is_pending_reads_nothing_that_is_acknowledged(
    service_database: ServiceDatabase, database: Database
) -> None:
    superuser = await asyncpg.connect(service_database.superuser_url)
    await superuser.execute(ACKNOWLEDGED)
    await superuser.execute(PENDING)
    await superuser.execute("ANALYZE announcements")
    role: Any = await asyncpg.connect(service_database.url)

    async def read(connection: Connection) -> list[Backlog]:
        return await storage.read_backlogs(connection, LINE.level, [LINE.observer, "campaign"])

    for _ in range(8):
        assert await rows_read(superuser, role, "announcements", read) <= 2 * 2
    assert [each.pending_count for each in await read(role)] == [2, 0]
    await role.close()
    await superuser.close()


async def test_what_has_been_pending_for_longest_is_listed_first(database: Database) -> None:
    levels = {"org-1": ("pi_1", "pi_3", "pi_2"), "org-2": ("pi_4",)}
    for organization_id, keys in levels.items():
        for key in keys:
            current = [CurrentLevel(LevelKey(organization_id, key), 1)]
            await database.run(storage.mark, "payment", current, ["wallet"], 0.0)
    line = Line("payment", "wallet")
    await database.run(storage.acknowledge, line, LevelKey("org-1", "pi_1"), 1)
    await database.run(storage.postpone, line, LevelKey("org-1", "pi_3"), NO_PAUSE, "away")
    found = await database.run(storage.list_of_organization, "org-1")
    assert [(each.key.key, each.attempt_count, each.last_error) for each in found] == [
        ("pi_3", 1, "away"),
        ("pi_2", 0, ""),
        ("pi_1", 0, ""),
    ]
    assert [each.pending_since is None for each in found] == [False, False, True]
    assert [each.acknowledged_revision for each in found] == [0, 0, 1]
