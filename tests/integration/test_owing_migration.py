"""What observers held before wallets could owe is taken for what it was: nobody owed anything."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from dev.postgres import EmbeddedPostgres
from libs.levels import WalletLevel, wallet_level_of
from libs.migrations import migrate
from tests.support.databases import REPOSITORY, ServiceDatabases

HELD_BEFORE = """
INSERT INTO organizations (
    organization_id, wallet_revision, wallet_frozen, wallet_freeze_reasons, wallet_depleted,
    wallet_currency_code
) VALUES ('told', 3, true, '{DISPUTE}', false, 'USD'), ('not-told', NULL, NULL, NULL, NULL, NULL)
"""


@pytest.fixture
async def empty_database_url(
    postgres: EmbeddedPostgres,
    databases: ServiceDatabases,  # makes the roles that migrations grant to
) -> AsyncIterator[str]:
    """A database without a schema."""
    server = await asyncpg.connect(postgres.superuser_url())
    await server.execute("CREATE DATABASE test_owing_migration")
    yield postgres.superuser_url("test_owing_migration")
    await server.execute("DROP DATABASE test_owing_migration WITH (FORCE)")
    await server.close()


@pytest.mark.parametrize("service", ["campaign", "telephony"])
async def test_a_level_that_was_held_before_owes_nothing(
    empty_database_url: str, service: str, tmp_path: Path
) -> None:
    migrations = REPOSITORY / "services" / service / "migrations"
    [first] = migrations.glob("0001_*.sql")
    shutil.copy(first, tmp_path)
    await migrate(empty_database_url, tmp_path)
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute(HELD_BEFORE)

    await migrate(empty_database_url, migrations)

    not_told, told = await connection.fetch("SELECT * FROM organizations ORDER BY organization_id")
    await connection.close()
    assert wallet_level_of(not_told) is None
    assert wallet_level_of(told) == WalletLevel(
        revision=3,
        frozen=True,
        freeze_reasons=("DISPUTE",),
        depleted=False,
        depleted_since=None,
        owing_micros=0,
        currency_code="USD",
    )
