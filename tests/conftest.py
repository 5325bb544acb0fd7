"""Fixtures that every test may use: real PostgreSQL, real services, real channels."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from dev.postgres import EmbeddedPostgres
from tests.support.databases import FAST_SETTINGS, TestDatabase, TestDatabases
from tests.support.services import free_address

SETTINGS_PREFIXES = ("WALLET_", "CAMPAIGN_", "TELEPHONY_", "BILLING_GATEWAY_", "STRIPE_", "TWILIO_")


def pytest_configure() -> None:
    """Tests give every setting themselves: what the shell has set must not reach them."""
    for name in list(os.environ):
        if name.startswith(SETTINGS_PREFIXES):
            del os.environ[name]


@pytest.fixture(scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedPostgres]:
    """One PostgreSQL for the whole run."""
    directory: Path = tmp_path_factory.mktemp("postgres")
    port = int(free_address().rpartition(":")[2])
    async with EmbeddedPostgres(directory, port, {**FAST_SETTINGS, "max_connections": "200"}) as it:
        yield it


@pytest.fixture(scope="session")
async def databases(postgres: EmbeddedPostgres) -> TestDatabases:
    """Migrated templates of every service's database."""
    return await TestDatabases.prepare(postgres)


MakeDatabase = Callable[[str], Awaitable[TestDatabase]]


@pytest.fixture
async def make_database(databases: TestDatabases) -> AsyncIterator[MakeDatabase]:
    """Databases for one test, of any service."""
    made: list[TestDatabase] = []

    async def make(service: str) -> TestDatabase:
        made.append(await databases.clone(service))
        return made[-1]

    yield make
    for database in made:
        await databases.drop(database)
