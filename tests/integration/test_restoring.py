"""A database that a test has used is for the next one as if nobody had used it."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.support.databases import ServiceDatabase, ServiceDatabases
from tests.support.restoring import Original

CHANGES_OF_ROWS = [
    "UPDATE emergency_stop SET number = 7",
    "DELETE FROM emergency_stop",
    "INSERT INTO organizations (organization_id) VALUES ('org-1')",
    "INSERT INTO organizations (organization_id) VALUES ('org-1'); ANALYZE",
    "INSERT INTO organizations (organization_id) VALUES ('org-1'); DELETE FROM organizations",
    "BEGIN; INSERT INTO organizations (organization_id) VALUES ('org-1'); ROLLBACK",
    "SELECT nextval('campaign_revisions')",
]
CHANGES_OF_SCHEMA = [
    "ALTER TABLE emergency_stop DROP CONSTRAINT emergency_stop_number_not_negative",
    "ALTER TABLE emergency_stop ALTER note SET DEFAULT 'none'",
    "ALTER TABLE emergency_stop ALTER note DROP NOT NULL",
    "ALTER TABLE campaign_changes DISABLE TRIGGER ALL",
    "ALTER TABLE emergency_stop SET (fillfactor = 50)",
    "GRANT DELETE ON emergency_stop TO campaign",
    "REVOKE UPDATE (revision) ON campaigns FROM campaign",
    "CREATE INDEX ON emergency_stop (note)",
    "DROP INDEX campaign_changes_newest",
    "ALTER FUNCTION current_stop STABLE",
    "CREATE TABLE more ()",
    "CREATE SCHEMA more",
    "ALTER SEQUENCE campaign_revisions CACHE 10",
    "DROP SEQUENCE campaign_revisions CASCADE",
    "DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 64', current_database()); END$$",
    "DO $$BEGIN EXECUTE format('GRANT ALL ON DATABASE %I TO campaign', current_database()); END$$",
]
EVERYTHING = """
SELECT (SELECT array_agg(emergency_stop::text) FROM emergency_stop),
    (SELECT array_agg(organizations::text) FROM organizations),
    (SELECT (last_value, is_called)::text FROM campaign_revisions),
    (SELECT (reltuples, relpages)::text FROM pg_class WHERE relname = 'organizations'),
    pg_relation_size('organizations'),
    (SELECT count(*) FROM pg_statistic WHERE starelid >= 16384)
"""


@pytest.fixture
async def database(databases: ServiceDatabases) -> AsyncIterator[ServiceDatabase]:
    """One that nobody has used yet."""
    database = await databases.clone("campaign")
    yield database
    await databases.drop(database)


@pytest.fixture
async def connection(database: ServiceDatabase) -> AsyncIterator[Any]:
    """Of somebody who may do anything."""
    connection = await asyncpg.connect(database.superuser_url)
    yield connection
    await connection.close()


@pytest.mark.parametrize("change", CHANGES_OF_ROWS)
async def test_what_was_written_is_forgotten(connection: Any, change: str) -> None:
    original = await Original.read(connection)
    before = await connection.fetchrow(EVERYTHING)
    await connection.execute(change)
    assert await connection.fetchrow(EVERYTHING) != before
    assert await original.restore(connection)
    assert await connection.fetchrow(EVERYTHING) == before


@pytest.mark.parametrize("change", CHANGES_OF_SCHEMA)
async def test_a_changed_schema_is_not_restored(connection: Any, change: str) -> None:
    original = await Original.read(connection)
    await connection.execute(change)
    assert not await original.restore(connection)


async def test_who_is_left_over_finds_nothing(databases: ServiceDatabases) -> None:
    used = await databases.take("campaign")
    left_over = await asyncpg.connect(used.url)
    await databases.give_back("campaign", used)
    again = await databases.take("campaign")
    assert again.name != used.name
    with pytest.raises((asyncpg.AdminShutdownError, asyncpg.InterfaceError, OSError)):
        await left_over.fetchval("SELECT 1")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(used.url)
    await databases.give_back("campaign", again)
