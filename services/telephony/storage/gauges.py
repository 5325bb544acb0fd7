"""How much stands otherwise than it should, and for how long. Each count reads its own index."""

from collections.abc import Mapping
from dataclasses import dataclass

from libs.database import Connection

COUNT_SUBACCOUNTS = """
SELECT standing, count, coalesce(extract(epoch FROM now() - since), 0)::float8 AS oldest_seconds
FROM (
    SELECT 'drifted' AS standing, count(*), min(drift_time) AS since
    FROM subaccounts WHERE drift_time IS NOT NULL
    UNION ALL
    SELECT 'failing', count(*), min(failing_time)
    FROM subaccounts WHERE failing_time IS NOT NULL
    UNION ALL
    SELECT 'aftermath_failing', count(*), min(aftermath_failing_time)
    FROM subaccounts WHERE aftermath_failing_time IS NOT NULL
) AS counts
"""
COUNT_PROVISIONS = """
SELECT standing, count, coalesce(extract(epoch FROM now() - since), 0)::float8 AS oldest_seconds
FROM (
    SELECT 'open' AS standing, count(*), min(create_time) AS since
    FROM provisions WHERE account_sid IS NULL
    UNION ALL
    SELECT 'failing', count(*), min(failing_time)
    FROM provisions WHERE failing_time IS NOT NULL
) AS counts
"""


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are, and for how long the oldest of them has been so; 0 if there is none."""

    count: int
    oldest_seconds: float


async def count_subaccounts(connection: Connection) -> Mapping[str, Count]:
    """Count subaccounts that are not as they should be, by what is wrong."""
    return await _count(connection, COUNT_SUBACCOUNTS)


async def count_provisions(connection: Connection) -> Mapping[str, Count]:
    """Count intents that are not done, by what is wrong."""
    return await _count(connection, COUNT_PROVISIONS)


async def _count(connection: Connection, statement: str) -> Mapping[str, Count]:
    return {
        row["standing"]: Count(row["count"], row["oldest_seconds"])
        for row in await connection.fetch(statement)
    }
