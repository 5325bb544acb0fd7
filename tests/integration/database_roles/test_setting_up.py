"""Databases from before there was a role to read with: it may be made at any time."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from dev.postgres import EmbeddedPostgres
from dev.service_databases import ServicePasswords, create_service_databases
from libs.migrations import migrate
from tests.integration.database_roles.conftest import Connect

pytestmark = pytest.mark.database

PASSWORDS = ServicePasswords(*(secrets.token_hex(8) for _ in range(3)))
MIGRATIONS = {
    "0001_things.sql": "CREATE TABLE things (name text, secret text);\n",
    "reader.sql": (
        "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM elder_reader;\n"
        "GRANT SELECT (name) ON things TO elder_reader;\n"
    ),
}
AS_BEFORE = [
    f"CREATE ROLE elder_owner LOGIN PASSWORD '{PASSWORDS.owner}'",
    "CREATE ROLE elder LOGIN PASSWORD 'forgotten' CREATEDB",
    "CREATE DATABASE elder OWNER elder_owner",
    "REVOKE ALL ON DATABASE elder FROM PUBLIC",
]
MADE_BY_THE_OWNER = """
CREATE FUNCTION list_long_transactions() RETURNS text LANGUAGE plpgsql AS
'BEGIN RAISE ''called by %'', current_user; END'
"""
FORGET = [
    "DROP DATABASE elder WITH (FORCE)",
    "DROP ROLE elder_owner",
    "DROP ROLE elder",
    "DROP ROLE IF EXISTS elder_reader",
]


@pytest.fixture
async def elder(postgres: EmbeddedPostgres, connect: Connect) -> AsyncIterator[str]:
    """The owner's way to a database whose roles were made by an older Tollgate."""
    superuser = await connect(postgres.superuser_url())
    for statement in AS_BEFORE:
        await superuser.execute(statement)
    server = postgres.superuser_url("elder").rpartition("@")[2]
    yield f"postgresql://elder_owner:{PASSWORDS.owner}@{server}"
    for statement in FORGET:
        await superuser.execute(statement)


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """What brings such a database up to date."""
    for name, text in MIGRATIONS.items():
        (tmp_path / name).write_text(text)
    return tmp_path


async def names_seen(reader_url: str) -> list[Any]:
    reader = await asyncpg.connect(reader_url)
    try:
        return await reader.fetch("SELECT name FROM things")
    finally:
        await reader.close()


async def test_a_role_that_is_made_late_is_granted_all_the_same(
    postgres: EmbeddedPostgres, elder: str, migrations: Path
) -> None:
    await migrate(elder, migrations)
    made = await create_service_databases(postgres.superuser_url(), {"elder": PASSWORDS})
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await names_seen(made["elder"].reader)
    await migrate(elder, migrations)
    assert await names_seen(made["elder"].reader) == []


async def test_what_is_granted_no_more_is_taken_back(
    postgres: EmbeddedPostgres, elder: str, migrations: Path
) -> None:
    made = await create_service_databases(postgres.superuser_url(), {"elder": PASSWORDS})
    await migrate(elder, migrations)
    assert await names_seen(made["elder"].reader) == []
    (migrations / "reader.sql").write_text(MIGRATIONS["reader.sql"].partition("\n")[0] + "\n")
    await migrate(elder, migrations)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await names_seen(made["elder"].reader)


async def test_what_a_role_was_made_more_than_it_should_be_is_set_back(
    postgres: EmbeddedPostgres, elder: str, migrations: Path
) -> None:
    await migrate(elder, migrations)
    made = await create_service_databases(postgres.superuser_url(), {"elder": PASSWORDS})
    role = await asyncpg.connect(made["elder"].service)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await role.execute("CREATE DATABASE mine")
    await role.close()


async def test_a_forgotten_transaction_ends_by_itself_whoever_has_begun_it(
    postgres: EmbeddedPostgres, elder: str, connect: Connect
) -> None:
    await create_service_databases(postgres.superuser_url(), {"elder": PASSWORDS})
    for url in (elder, postgres.superuser_url("elder")):
        session = await connect(url)
        assert await session.fetchval("SHOW idle_in_transaction_session_timeout") == "1min"


async def test_a_superuser_who_sets_up_runs_nothing_of_the_owners(
    postgres: EmbeddedPostgres, elder: str, connect: Connect
) -> None:
    """The owner may make functions that look more like what is meant than PostgreSQL's own."""
    owner = await connect(elder)
    await owner.execute(
        "CREATE FUNCTION public.format(text, text) RETURNS text LANGUAGE plpgsql AS"
        " 'BEGIN RAISE ''called by %'', current_user; END'"
    )
    await create_service_databases(postgres.superuser_url(), {"elder": PASSWORDS})


async def test_what_runs_as_a_superuser_is_never_what_the_owner_has_put_there(
    postgres: EmbeddedPostgres, elder: str, connect: Connect
) -> None:
    """The schema is the owner's: what stands there may be dropped, and made anew, by the owner."""
    owner, superuser = await connect(elder), await connect(postgres.superuser_url("elder"))
    await owner.execute(MADE_BY_THE_OWNER)
    await create_service_databases(postgres.superuser_url(), {"elder": PASSWORDS})
    assert await superuser.fetch("SELECT * FROM list_long_transactions()") == []
    await owner.execute("DROP FUNCTION list_long_transactions()")
    await owner.execute(MADE_BY_THE_OWNER)
    assert await superuser.fetch("SELECT * FROM end_long_transaction(0)") == []
