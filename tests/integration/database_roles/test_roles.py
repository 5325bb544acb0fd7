"""What roles there are, what they are, and what is refused to a service's own."""

import asyncpg
import pytest

from dev.service_databases import SERVICES
from tests.integration.database_roles.conftest import Connect
from tests.integration.database_roles.forbidden import forbidden_to, not_refused
from tests.support.databases import ServiceDatabase

pytestmark = pytest.mark.database

MADE_BY_POSTGRESQL = ("postgres", "template1")
ATTRIBUTES = """
SELECT rolname FROM pg_roles
WHERE rolname = ANY ($1::text[]) AND rolcanlogin
  AND NOT (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls OR rolinherit)
"""
MEMBERSHIPS = """
SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members
WHERE ARRAY[roleid, member] && ARRAY(SELECT oid FROM pg_roles WHERE rolname = ANY ($1::text[]))
"""
# 0 is everybody. What is granted nowhere is as PostgreSQL grants it by itself.
OF_EVERYBODY = """
WITH acls (name, acl) AS (
    SELECT datname, coalesce(datacl, acldefault('d', datdba))
    FROM pg_database WHERE datname = ANY ($1::text[] || current_database()::text)
    UNION ALL
    SELECT nspname, coalesce(nspacl, acldefault('n', nspowner))
    FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)'
    UNION ALL
    SELECT proname, coalesce(proacl, acldefault('f', proowner))
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace OR proname LIKE 'pg\\_%advisory%'
    UNION ALL
    SELECT relname, relacl FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT attname, attacl FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace
)
SELECT name, privilege_type FROM acls, aclexplode(acl)
WHERE grantee = 0
"""
LOCKS_WITHOUT_TABLES = """
SELECT oid::regprocedure::text AS name FROM pg_proc
WHERE proname LIKE 'pg\\_%advisory%' AND has_function_privilege($1, oid, 'EXECUTE')
"""
DEFINERS = """
SELECT proname, proconfig, rolsuper FROM pg_proc JOIN pg_roles ON pg_roles.oid = proowner
WHERE prosecdef AND pronamespace = 'public'::regnamespace
"""  # Nobody has such a session: nothing comes of it.
LONG_ONES = ("SELECT list_long_transactions()", "SELECT end_long_transaction(0)")
TABLES = """
SELECT relname AS name FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
CHANGES_OF_TABLES = [
    ("TRUNCATE", ""),
    ("DROP TABLE", ""),
    ("ALTER TABLE", "ADD mine text"),
    ("CREATE INDEX ON", "((true))"),
    ("COMMENT ON TABLE", "IS 'mine'"),
]


def roles_of(*services: str) -> list[str]:
    return [f"{service}{kind}" for service in services for kind in ("", "_owner", "_reader")]


async def test_no_role_is_more_than_itself(
    database: ServiceDatabase, service: str, connect: Connect
) -> None:
    connection = await connect(database.superuser_url)
    rows = await connection.fetch(ATTRIBUTES, roles_of(service))
    assert sorted(row["rolname"] for row in rows) == sorted(roles_of(service))
    assert await connection.fetch(MEMBERSHIPS, roles_of(service)) == []


async def test_everybody_may_do_nothing(database: ServiceDatabase, connect: Connect) -> None:
    connection = await connect(database.superuser_url)
    assert await connection.fetch(OF_EVERYBODY, [*SERVICES, *MADE_BY_POSTGRESQL]) == []


async def test_an_owner_may_lock_without_a_table_what_migrating_locks(
    database: ServiceDatabase, service: str, connect: Connect
) -> None:
    connection = await connect(database.superuser_url)
    locks = await connection.fetch(LOCKS_WITHOUT_TABLES, f"{service}_owner")
    assert [row["name"] for row in locks] == ["pg_advisory_lock(bigint)"]


async def test_what_a_function_may_do_for_others_it_does_where_it_should(
    database: ServiceDatabase, connect: Connect
) -> None:
    """What is temporary comes last: else somebody's temporary table would come first.

    Where a superuser's function looks, nobody else may make anything.
    """
    connection = await connect(database.superuser_url)
    for name, settings, is_superuser in await connection.fetch(DEFINERS):
        schema = "pg_catalog" if is_superuser else "public"
        assert f"search_path={schema}, pg_temp" in (settings or []), name


async def test_the_history_of_operators_is_only_added_to(
    database: ServiceDatabase, connect: Connect
) -> None:
    role = await connect(database.url)
    done = "INSERT INTO operator_actions (action, actor, note, organization_id, reference)"
    await role.execute(f"{done} VALUES ('Replay', 'ann', 'why', '', '')")
    changes = {
        change: change
        for change in (
            "UPDATE operator_actions SET note = 'mine'",
            "DELETE FROM operator_actions",
            "TRUNCATE operator_actions",
            "INSERT INTO operator_actions (create_time) VALUES (now())",
        )
    }
    assert await not_refused(role, changes) == set()


async def test_nobody_but_the_service_asks_for_sessions_of_others(
    database: ServiceDatabase, service: str, connect: Connect
) -> None:
    """Not even who owns the database and its schema: what runs as a superuser is none of theirs."""
    owner = await connect(database.superuser_url)
    await owner.execute(f"SET SESSION AUTHORIZATION {service}_owner")
    reader = await connect(database.reader_url)
    uses = {use: use for use in LONG_ONES}
    assert await not_refused(owner, uses) == set()
    assert await not_refused(reader, uses) == set()
    role = await connect(database.url)
    assert len(await not_refused(role, uses)) == len(uses)


async def test_every_session_of_a_service_has_time_outs(
    database: ServiceDatabase, connect: Connect
) -> None:
    """Whatever it is that connects: what a service asks for itself is less."""
    role = await connect(database.url)
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
    assert [await role.fetchval(f"SHOW {name}") for name in names] == ["5s", "1min", "1min"]


async def test_a_service_may_not_do_what_it_never_should(
    database: ServiceDatabase, service: str, connect: Connect
) -> None:
    role = await connect(database.url)
    assert await not_refused(role, forbidden_to(service, service)) == set()


async def test_a_service_leaves_its_tables_as_they_are(
    database: ServiceDatabase, service: str, connect: Connect
) -> None:
    role = await connect(database.url)
    tables = [row["name"] for row in await role.fetch(TABLES)]
    assert "schema_migrations" in tables
    changes = {
        f"{change} {table}": f"{change} {table} {how}"
        for table in tables
        for change, how in CHANGES_OF_TABLES
    }
    assert await not_refused(role, changes) == set()


async def test_nobody_connects_to_another_database(database: ServiceDatabase, service: str) -> None:
    """Neither to another service's nor to PostgreSQL's own, where everybody could write."""
    for other in (*SERVICES, *MADE_BY_POSTGRESQL):
        for url in (database.url, database.reader_url):
            if other != service:
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="for database"):
                    await asyncpg.connect(url, database=other)
