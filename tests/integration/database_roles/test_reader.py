"""The role that people read with: it sees what it may, and writes nothing, whatever it tries."""

from typing import Any

import asyncpg
import pytest

from tests.integration.database_roles.conftest import Connect
from tests.integration.database_roles.forbidden import forbidden_to, not_refused
from tests.support.databases import ServiceDatabase
from tests.support.waiting import eventually

pytestmark = pytest.mark.database

CONNECTIONS_MAX = 5
# What nobody needs to see in order to help: raw bodies with payers' names, what callers write of
# their own customers, and addresses and tokens with which anybody could go on.
HIDDEN = {
    "wallet": {
        "entries.description",
        "entries.metadata",
        "holds.description",
        "holds.metadata",
    },
    "campaign": set[str](),
    "telephony": {"subaccounts.aftermath_message_page"},
    "billing_gateway": {
        "checkouts.cancel_url",
        "checkouts.checkout_id",
        "checkouts.return_url",
        "checkouts.url",
        "webhook_events.body",
    },
}
COLUMNS = """
SELECT relname AS table, attname AS column, has_column_privilege(attrelid, attnum, 'SELECT') AS seen
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
WHERE relkind IN ('r', 'p', 'v', 'm') AND relnamespace = 'public'::regnamespace
  AND attnum > 0 AND NOT attisdropped
"""
OTHERS = """
SELECT format('SELECT nextval(%L)', oid::regclass) AS use FROM pg_class
WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace
UNION ALL
SELECT format('SELECT setval(%L, 1)', oid::regclass) FROM pg_class
WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace
UNION ALL
SELECT format(
    'SELECT %I(%s)', proname,
    (SELECT string_agg('NULL::' || type::regtype, ', ') FROM unnest(proargtypes) AS type)
) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""
# With zeros: where something is NULL, most of them are not even called.
LOCKS_WITHOUT_TABLES = """
SELECT format(
    'SELECT %I(%s)', proname,
    (SELECT string_agg('0::' || type::regtype, ', ') FROM unnest(proargtypes) AS type)
) AS use FROM pg_proc WHERE proname LIKE 'pg\\_%advisory%'
"""
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1"
SETTINGS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "30s",
    "lock_timeout": "1s",
    "idle_in_transaction_session_timeout": "1min",
    "idle_session_timeout": "1h",
    "temp_file_limit": "1GB",
}

WRITES = [
    "INSERT INTO {table} DEFAULT VALUES",
    "UPDATE {table} SET {column} = DEFAULT",
    "DELETE FROM {table}",
    "TRUNCATE {table}",
    "COPY {table} FROM STDIN",
    "SELECT 1 FROM {table} FOR UPDATE",
    "SELECT 1 FROM {table} FOR KEY SHARE",
    "DO 'BEGIN LOCK TABLE {table} IN ROW EXCLUSIVE MODE; END'",
    "DROP TABLE {table}",
    "ALTER TABLE {table} ADD mine text",
    "CREATE INDEX ON {table} ((true))",
]


@pytest.fixture
async def reader(database: ServiceDatabase, connect: Connect) -> "asyncpg.Connection[Any]":
    """As psql connects, and tells nothing of itself."""
    return await connect(database.reader_url)


async def test_it_is_decided_of_each_column_whether_it_is_seen(
    reader: "asyncpg.Connection[Any]", service: str
) -> None:
    columns = await reader.fetch(COLUMNS)
    unseen = {f"{row['table']}.{row['column']}" for row in columns if not row["seen"]}
    assert unseen == HIDDEN[service]


async def test_what_is_seen_can_be_read_and_what_is_not_cannot(
    reader: "asyncpg.Connection[Any]", service: str
) -> None:
    columns = await reader.fetch(COLUMNS)
    for row in columns:
        if row["seen"]:
            await reader.fetch(f'SELECT "{row["column"]}" FROM "{row["table"]}"')  # noqa: S608
    for hidden in HIDDEN[service]:
        table, _, column = hidden.partition(".")
        for statement in (f"SELECT {column} FROM {table}", f"TABLE {table}"):  # noqa: S608
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await reader.fetch(statement)


@pytest.mark.parametrize(
    "first",
    [
        "SET default_transaction_read_only = off",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    ],
)
async def test_it_writes_nothing_though_it_asks_to(
    reader: "asyncpg.Connection[Any]", service: str, first: str
) -> None:
    others = [row["use"] for row in await reader.fetch(OTHERS)]
    tables = {row["table"]: row["column"] for row in await reader.fetch(COLUMNS)}
    writes = [*others, *(write for item in tables.items() for write in writes_to(*item))]
    await reader.execute(first)
    assert await reader.fetchval("SHOW transaction_read_only") == "off"
    assert await not_refused(reader, dict(zip(writes, writes, strict=True))) == set()
    assert await not_refused(reader, forbidden_to(f"{service}_reader", service)) == set()


def writes_to(table: str, column: str) -> list[str]:
    """Return every way in which a table is written to or locked."""
    return [write.format(table=table, column=column) for write in WRITES]


async def test_it_holds_no_lock_that_needs_no_table(reader: "asyncpg.Connection[Any]") -> None:
    """Of such locks it could hold any service's, or so many that no database has one left."""
    uses = [row["use"] for row in await reader.fetch(LOCKS_WITHOUT_TABLES)]
    assert "SELECT pg_advisory_lock(0::bigint)" in uses
    assert await not_refused(reader, dict(zip(uses, uses, strict=True))) == set()


async def test_its_limits_hold_whatever_connects(reader: "asyncpg.Connection[Any]") -> None:
    assert {name: await reader.fetchval(f"SHOW {name}") for name in SETTINGS} == SETTINGS
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await reader.execute("SET temp_file_limit = -1")


async def test_it_takes_few_connections(
    database: ServiceDatabase, service: str, connect: Connect
) -> None:
    superuser = await connect(database.superuser_url)
    # Those of other tests end when the server has seen that they are closed.
    await eventually(lambda: superuser.fetchval(SESSIONS, f"{service}_reader"), lambda it: it == 0)
    for _ in range(CONNECTIONS_MAX):
        await connect(database.reader_url)
    with pytest.raises(asyncpg.TooManyConnectionsError):
        await connect(database.reader_url)
