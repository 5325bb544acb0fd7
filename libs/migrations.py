"""Schema changes: plain SQL files, applied once, in order, forward only.

A file is `NNNN_what.sql`; a statement ends with a semicolon at the end of a line and is sent by
itself, as Citus wants it; a function's body stands between two `$$`. A file that was applied may
not change: its checksum is kept.

`reader.sql` is no step but a state: what the role that people read with may see. It is brought
about again each time, for the role may have been made after the tables.

Who waits for a table's lock makes everybody wait who comes later. So a migration waits for a short
time, begins again after a pause in which the others get on, and gives up in the end.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import asyncpg

from libs.database import CONNECTION_ERRORS
from libs.logs import get_logger

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

# Any number will do, as long as every migrating process takes the same one.
ADVISORY_LOCK_KEY = 7_065_117_471

READER_GRANTS = "reader.sql"

# A body stands between two $$: after the end of a statement there is an even number of them.
STATEMENT_END = re.compile(r";\n(?=(?:[^$]|\$(?!\$)|\$\$(?:[^$]|\$(?!\$))*\$\$)*\Z)")

CREATE_HISTORY = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    apply_time timestamptz NOT NULL DEFAULT now()
)
"""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a migration waits for a lock that somebody holds, and how often: minutes in all."""

    # A service's statement that waits behind it has some time left when it is over.
    lock_seconds: float = 2.0
    pause_seconds: float = 3.0
    attempts_max: int = 60


DEFAULT_PATIENCE = Patience()


class MigrationChangedError(Exception):
    """A file that was applied already reads differently now."""


# What keeps a database from being migrated, and may be mended.
MIGRATION_ERRORS: tuple[type[Exception], ...] = (*CONNECTION_ERRORS, MigrationChangedError)


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of schema changes."""

    name: str
    text: str

    @property
    def checksum(self) -> str:
        """Identify the content."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def statements(self) -> list[str]:
        """Split the content where a line ends with a semicolon outside of a function's body."""
        text = self.text.replace("\r\n", "\n")
        parts = [part.strip() for part in STATEMENT_END.split(text)]
        return [part.rstrip(";") for part in parts if part]


def read_migrations(directory: Path) -> list[Migration]:
    """Return the migrations of a directory in their order."""
    paths = sorted(directory.glob("[0-9]*.sql"))
    return [Migration(path.name, path.read_text()) for path in paths]


def read_reader_grants(directory: Path) -> list[str]:
    """Return the statements that grant the role of people what it may see."""
    return [
        statement
        for path in directory.glob(READER_GRANTS)
        for statement in Migration(path.name, path.read_text()).statements
    ]


async def migrate(owner_url: str, directory: Path, patience: Patience = DEFAULT_PATIENCE) -> None:
    """Bring the database up to date; several processes may try at once."""
    connection = await asyncpg.connect(owner_url, timeout=10.0)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", ADVISORY_LOCK_KEY)
        await connection.execute(CREATE_HISTORY)
        for migration in read_migrations(directory):
            await _apply_once(connection, migration, patience)
        await _grant_reader(connection, read_reader_grants(directory), patience)
    finally:
        await connection.close()


async def _apply_once(connection: Connection, migration: Migration, patience: Patience) -> None:
    applied = await connection.fetchval(
        "SELECT checksum FROM schema_migrations WHERE name = $1", migration.name
    )
    if applied == migration.checksum:
        return
    if applied is not None:
        raise MigrationChangedError(f"{migration.name} was applied with other content")

    async def apply() -> None:
        for statement in migration.statements:
            await connection.execute(statement)
        await connection.execute(
            "INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)",
            migration.name,
            migration.checksum,
        )

    await _transact_patiently(connection, migration.name, apply, patience)
    get_logger().info("migration_applied", migration=migration.name)


async def _grant_reader(connection: Connection, grants: Sequence[str], patience: Patience) -> None:
    async def grant() -> None:
        for statement in grants:
            await connection.execute(statement)

    try:
        await _transact_patiently(connection, READER_GRANTS, grant, patience)
    except asyncpg.UndefinedObjectError as error:
        # A service needs no reader to start.
        get_logger().warning("reader_not_granted", error=str(error))


async def _transact_patiently(
    connection: Connection, name: str, work: Callable[[], Awaitable[None]], patience: Patience
) -> None:
    lock_timeout = f"{patience.lock_seconds * 1000:.0f}ms"
    for attempt in range(1, patience.attempts_max + 1):
        try:
            async with connection.transaction():
                await connection.execute(
                    "SELECT set_config('lock_timeout', $1, true)", lock_timeout
                )
                await work()
            return
        except asyncpg.LockNotAvailableError:
            if attempt == patience.attempts_max:
                raise
            get_logger().warning("migration_waits_for_lock", migration=name, attempt=attempt)
            await asyncio.sleep(patience.pause_seconds)
