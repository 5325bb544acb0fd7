"""Databases for tests: every service's schema is migrated once and cloned.

A clone costs more than most tests do, so that it is restored after a test for another one, under a
new name: who is left over from the first finds nothing.
"""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from dev.postgres import EmbeddedPostgres
from dev.service_databases import SERVICES, ServicePasswords, create_service_databases
from libs.migrations import migrate
from tests.support.restoring import Connection, Original

REPOSITORY = Path(__file__).parents[2]

# What a test writes need not survive the machine; transactions that wait for each other in a circle
# are noticed before their locks time out.
FAST_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_timeout": "1h",
    "max_wal_size": "8GB",
    # Of databases that live for seconds there is nothing to tidy up or to count.
    "autovacuum": "off",
    "deadlock_timeout": "50ms",
    # Every connection proves that it knows a password that was made up for this run.
    "scram_iterations": "1",
}


@dataclass(frozen=True, slots=True)
class ServiceDatabase:
    """A database of one service, for one test, as three of its roles find it."""

    name: str
    url: str
    reader_url: str
    superuser_url: str


class ServiceDatabases:
    """Makes databases that are migrated already."""

    def __init__(
        self,
        postgres: EmbeddedPostgres,
        passwords: dict[str, ServicePasswords],
        connection: Connection,
    ) -> None:
        self._postgres = postgres
        self._passwords = passwords
        self._connection = connection
        self._is_free = asyncio.Lock()
        self._originals: dict[str, Original] = {}
        self._restored: dict[str, list[ServiceDatabase]] = defaultdict(list)
        self._count = 0

    @classmethod
    @asynccontextmanager
    async def prepared(cls, postgres: EmbeddedPostgres) -> AsyncIterator["ServiceDatabases"]:
        """Migrate a template for every service."""
        passwords = {
            service: ServicePasswords(*(secrets.token_hex(8) for _ in range(3)))
            for service in SERVICES
        }
        urls = await create_service_databases(postgres.superuser_url(), passwords)
        for service in SERVICES:
            await migrate(urls[service].owner, REPOSITORY / "services" / service / "migrations")
        async with _connected(postgres.superuser_url()) as connection:
            yield cls(postgres, passwords, connection)

    async def take(self, service: str) -> ServiceDatabase:
        """Return a database like the service's template, to be given back."""
        if self._restored[service]:
            return self._restored[service].pop()
        database = await self.clone(service)
        if service not in self._originals:
            async with _connected(database.superuser_url) as connection:
                self._originals[service] = await Original.read(connection)
        return database

    async def give_back(self, service: str, database: ServiceDatabase) -> None:
        """Restore it for whoever takes one next; drop it if it cannot be restored."""
        renamed = self._named(service)
        try:
            await self.kill_connections(database)
            await self._execute(f"ALTER DATABASE {database.name} RENAME TO {renamed.name}")
            async with _connected(renamed.superuser_url) as connection:
                is_restored = await self._originals[service].restore(connection)
        except asyncpg.PostgresError:
            is_restored = False
        if is_restored:
            self._restored[service].append(renamed)
        else:
            await self.drop(database)
            await self.drop(renamed)

    async def clone(self, service: str, template: str = "") -> ServiceDatabase:
        """Make a database like the service's template, or like another that nobody is using."""
        database = self._named(service)
        await self._execute(
            f"CREATE DATABASE {database.name} OWNER {service}_owner"
            f" TEMPLATE {template or service} STRATEGY FILE_COPY"
        )
        # What a template's roles may do with it, a copy of it does not know.
        await self._execute(f"REVOKE ALL ON DATABASE {database.name} FROM PUBLIC")
        await self._execute(
            f"GRANT CONNECT ON DATABASE {database.name} TO {service}, {service}_reader"
        )
        return database

    async def drop(self, database: ServiceDatabase) -> None:
        """Drop it, whoever is still connected."""
        await self._execute(f"DROP DATABASE IF EXISTS {database.name} WITH (FORCE)")

    async def kill_connections(self, database: ServiceDatabase) -> None:
        """Cut every connection to it, as a crash of the server would."""
        await self._execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "  # noqa: S608 - our own name
            f"WHERE datname = '{database.name}'"
        )

    def _named(self, service: str) -> ServiceDatabase:
        self._count += 1
        name = f"test_{self._count}_{service}"
        superuser_url = self._postgres.superuser_url(name)
        server = superuser_url.rpartition("@")[2]
        passwords = self._passwords[service]
        return ServiceDatabase(
            name,
            url=f"postgresql://{service}:{passwords.service}@{server}",
            reader_url=f"postgresql://{service}_reader:{passwords.reader}@{server}",
            superuser_url=superuser_url,
        )

    async def _execute(self, statement: str) -> None:
        async with self._is_free:
            await self._connection.execute(statement)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()
