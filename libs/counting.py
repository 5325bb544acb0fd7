"""How operators' counts are read: by indexes of their own, all of them of one moment."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from libs.database import Connection
from libs.riding import Riding, RidingLimits

CountsT = TypeVar("CountsT")

# A plan made while a table was small would be kept while it grows.
BEGIN = "SELECT now(), set_config('enable_seqscan', 'off', true)"


async def begin_counting(connection: Connection) -> datetime:
    """Begin counts in a transaction of their own; return the moment of which they are."""
    now: datetime = await connection.fetchval(BEGIN)
    return now


def counted_once(
    count: Callable[[], Awaitable[CountsT]],
) -> Callable[[], Awaitable[CountsT]]:
    """Let all who ask at the same time have one answer, which is no older than their question.

    To count everything takes its time: however many ask, one connection is busy with it.
    """

    async def count_for_all(asking: Sequence[None]) -> Sequence[CountsT]:
        return [await count()] * len(asking)

    return partial(Riding(count_for_all, RidingLimits()).ride, None)


def age_seconds(since: datetime | None, now: datetime) -> float:
    """Return for how long the oldest has been so; 0 if there is none."""
    return max(0.0, (now - since).total_seconds()) if since else 0.0
