"""Schema changes: plain SQL files, applied once, in order, forward only.

A file is `NNNN_what.sql`; a statement ends with a semicolon at the end of a line and is sent by
itself, as Citus wants it; a function's body stands between two `$$`. A file that was applied may
not change: its checksum is kept.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from libs.logs import get_logger

# Any number will do, as long as every migrating process takes the same one.
ADVISORY_LOCK_KEY = 7_065_117_471

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
    return [Migration(path.name, path.read_text()) for path in sorted(directory.glob("*.sql"))]


async def migrate(owner_url: str, directory: Path) -> None:
    """Bring the database up to date; several processes may try at once."""
    connection = await asyncpg.connect(owner_url, timeout=10.0)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", ADVISORY_LOCK_KEY)
        await connection.execute(CREATE_HISTORY)
        for migration in read_migrations(directory):
            await _apply_once(connection, migration)
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
