"""Brings a database that was used back to how its migrations left it: quicker than another copy."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Self, TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[Any]"

# Whoever changes a schema leaves a younger row in one of these, or a row less.
CATALOGS = """
pg_attribute pg_attrdef pg_constraint pg_default_acl pg_event_trigger pg_extension pg_index
pg_namespace pg_policy pg_proc pg_rewrite pg_sequence pg_statistic_ext pg_trigger pg_type
""".split()
# TRUNCATE writes to pg_class, where only that is compared which it leaves as it is.
SCHEMA = " UNION ALL ".join(
    [
        *(
            f"SELECT format('%s %s', count(*), max(xmin::text::bigint)) FROM {catalog}"  # noqa: S608
            for catalog in CATALOGS
        ),
        """
        SELECT string_agg(
            concat_ws(
                ' ', relname, relowner, relkind, relpersistence, relacl, reloptions,
                relrowsecurity, relforcerowsecurity, relhastriggers
            ),
            ',' ORDER BY oid
        ) FROM pg_class WHERE relnamespace = 'public'::regnamespace
        """,
        """
        SELECT concat_ws(' ', datdba, datconnlimit, datacl, count(setconfig))
        FROM pg_database LEFT JOIN pg_db_role_setting ON setdatabase = pg_database.oid
        WHERE datname = current_database() GROUP BY pg_database.oid
        """,
    ]
)
# A table to which nothing was ever written has no file content, not even of what was rolled back.
TOUCHED = """
SELECT relname FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0
"""
SEQUENCES = """
SELECT seqrelid::regclass::text, coalesce(pg_sequence_last_value(seqrelid), seqstart),
    pg_sequence_last_value(seqrelid) IS NOT NULL
FROM pg_sequence
"""


@dataclass(frozen=True, slots=True)
class Original:
    """How migrations left a database."""

    schema: Sequence[str]
    # Of the tables that have any.
    rows: dict[str, bytes]
    sequences: Sequence[tuple[str, int, bool]]

    @classmethod
    async def read(cls, connection: Connection) -> Self:
        """Read a database that nobody has used yet."""
        return cls(
            await _schema(connection),
            {table: await _rows(connection, table) for table in await _touched(connection)},
            [tuple(row) for row in await connection.fetch(SEQUENCES)],
        )

    async def restore(self, connection: Connection) -> bool:
        """Forget all that was written; False, and nothing is restored, if the schema changed."""
        if await _schema(connection) != self.schema:
            return False
        async with connection.transaction():
            # What keeps a ledger from being emptied.
            await connection.execute("SET LOCAL session_replication_role = replica")
            touched = {*await _touched(connection)} - self.rows.keys()
            if touched:
                await connection.execute(f"TRUNCATE {', '.join(touched)} CASCADE")
            for table, rows in self.rows.items():
                await _restore_rows(connection, table, rows)
            await connection.executemany("SELECT setval($1::text, $2, $3)", self.sequences)
            # What the planner and the counters know of it.
            await connection.execute("DELETE FROM pg_statistic WHERE starelid >= 16384")
            await connection.execute("SELECT pg_stat_reset()")
        return True


async def _schema(connection: Connection) -> list[str]:
    return [row[0] for row in await connection.fetch(SCHEMA)]


async def _touched(connection: Connection) -> list[str]:
    return [row[0] for row in await connection.fetch(TOUCHED)]


async def _rows(connection: Connection, table: str) -> bytes:
    rows = BytesIO()
    await connection.copy_from_table(table, output=rows, format="binary")
    return rows.getvalue()


async def _restore_rows(connection: Connection, table: str, rows: bytes) -> None:
    if await _rows(connection, table) != rows:
        await connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own name
        await connection.copy_to_table(table, source=BytesIO(rows), format="binary")
