"""How much of a table PostgreSQL looks at to answer."""

from collections.abc import Awaitable, Callable
from typing import Any

ROWS_READ = """
SELECT (SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = $1) +
    (SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE relname = $1)
"""


async def rows_read(
    superuser: Any, role: Any, table: str, read: Callable[[Any], Awaitable[Any]]
) -> int:
    """Return how many rows of a table a read has looked at, by indexes or without."""
    # What the superuser has read itself, such as for foreign keys, is counted before.
    for each in (superuser, role):
        await each.execute("SELECT pg_stat_force_next_flush()")
    before: int = await superuser.fetchval(ROWS_READ, table)
    await read(role)
    await role.execute("SELECT pg_stat_force_next_flush()")
    after: int = await superuser.fetchval(ROWS_READ, table)
    return after - before
