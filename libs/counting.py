"""How operators' counts are read: by indexes of their own, all of them of one moment."""

from datetime import datetime

from libs.database import Connection

# A plan made while a table was small would be kept while it grows.
BEGIN = "SELECT now(), set_config('enable_seqscan', 'off', true)"


async def begin_counting(connection: Connection) -> datetime:
    """Begin counts in a transaction of their own; return the moment of which they are."""
    now: datetime = await connection.fetchval(BEGIN)
    return now


def age_seconds(since: datetime | None, now: datetime) -> float:
    """Return for how long the oldest has been so; 0 if there is none."""
    return max(0.0, (now - since).total_seconds()) if since else 0.0
