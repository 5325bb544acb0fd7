"""Schema changes: plain SQL files, applied once, in order, forward only.

A file is `NNNN_what.sql`; a statement ends with a semicolon at the end of a line and is sent by
itself, as Citus wants it; a function's body stands between two `$$`. A file that was applied may
not change: its checksum is kept.

`reader.sql` is no step but a state: what the role that people read with may see. It is brought
about again each time, for the role may have been made after the tables.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from libs.logs import get_logger

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


class MigrationChangedError(Exception):
    """A file that was applied already reads differently now."""


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


async def migrate(owner_url: str, directory: Path) -> None:
    """Bring the database up to date; several processes may try at once."""
    connection = await asyncpg.connect(owner_url, timeout=10.0)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", ADVISORY_LOCK_KEY)
        await connection.execute(CREATE_HISTORY)
        for migration in read_migrations(directory):
            await _apply_once(connection, migration)
        await _grant_reader(connection, read_reader_grants(directory))
    finally:
        await connection.close()


async def _apply_once(
    connection: "asyncpg.Connection[asyncpg.Record]", migration: Migration
) -> None:
    applied = await connection.fetchval(
        "SELECT checksum FROM schema_migrations WHERE name = $1", migration.name
    )
    if applied == migration.checksum:
        return
    if applied is not None:
        raise MigrationChangedError(f"{migration.name} was applied with other content")
    async with connection.transaction():
        for statement in migration.statements:
            await connection.execute(statement)
        await connection.execute(
            "INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)",
            migration.name,
            migration.checksum,
        )
    get_logger().info("migration_applied", migration=migration.name)


async def _grant_reader(
    connection: "asyncpg.Connection[asyncpg.Record]", grants: Sequence[str]
) -> None:
    try:
        async with connection.transaction():
            for statement in grants:
                await connection.execute(statement)
    except asyncpg.UndefinedObjectError as error:
        # A service needs no reader to start.
        get_logger().warning("reader_not_granted", error=str(error))
