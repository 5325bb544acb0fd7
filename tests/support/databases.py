"""Databases for tests: every service's schema is migrated once and cloned for each test."""

import secrets
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from dev.postgres import EmbeddedPostgres
from dev.service_databases import SERVICES, ServicePasswords, create_service_databases
from libs.migrations import migrate

REPOSITORY = Path(__file__).parents[2]

# What a test writes need not survive the machine; transactions that wait for each other in a circle
# are noticed before their locks time out.
FAST_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "deadlock_timeout": "50ms",
}


@dataclass(frozen=True, slots=True)
class ServiceDatabase:
    """A database of one service, for one test."""

    name: str
    url: str
    superuser_url: str


class ServiceDatabases:
    """Makes databases that are migrated already."""

    def __init__(self, postgres: EmbeddedPostgres, passwords: dict[str, ServicePasswords]) -> None:
        self._postgres = postgres
        self._passwords = passwords
        self._count = 0

    @classmethod
    async def prepare(cls, postgres: EmbeddedPostgres) -> "ServiceDatabases":
        """Migrate a template for every service."""
        passwords = {
            service: ServicePasswords(secrets.token_hex(8), secrets.token_hex(8))
            for service in SERVICES
        }
        urls = await create_service_databases(postgres.superuser_url(), passwords)
        for service in SERVICES:
            await migrate(urls[service].owner, REPOSITORY / "services" / service / "migrations")
        return cls(postgres, passwords)

    async def clone(self, service: str, template: str = "") -> ServiceDatabase:
        """Make a database like the service's template, or like another that nobody is using."""
        self._count += 1
        name = f"test_{self._count}_{service}"
        await self._execute(
            f"CREATE DATABASE {name} TEMPLATE {template or service} STRATEGY FILE_COPY"
        )
        superuser_url = self._postgres.superuser_url(name)
        server = superuser_url.rpartition("@")[2]
        password = self._passwords[service].service
        return ServiceDatabase(name, f"postgresql://{service}:{password}@{server}", superuser_url)

    async def drop(self, database: ServiceDatabase) -> None:
        """Drop it, whoever is still connected."""
        await self._execute(f"DROP DATABASE IF EXISTS {database.name} WITH (FORCE)")

    async def kill_connections(self, database: ServiceDatabase) -> None:
        """Cut every connection to it, as a crash of the server would."""
        await self._execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "  # noqa: S608 - our own name
            f"WHERE datname = '{database.name}'"
        )

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self._postgres.superuser_url())
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
