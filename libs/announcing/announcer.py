"""Announces a level to each observer until it has acknowledged the current revision.

In the transaction that changes a level its owner calls `mark`; after the commit, `wake`. So a level
that is lost, doubled, late or out of order does no harm, and whoever was away catches up by itself.
"""

import asyncio
from collections.abc import Sequence
from typing import Generic, TypeVar

from libs.announcing import storage
from libs.announcing.feed import Feed
from libs.announcing.ports import (
    AnnouncerTiming,
    Backlog,
    CurrentLevel,
    Delivery,
    Level,
    LevelKey,
    LevelObserver,
    LevelSource,
)
from libs.announcing.storage import Line
from libs.database import Connection, Database
from libs.metrics import ServiceMetrics
from libs.workers import PollingWorker

# The committing process announces at once; others look after this, so that they don't double it.
HEAD_START_SECONDS = 1.0
SWEEP_BATCH = 200

LevelT = TypeVar("LevelT", bound=Level)


class Announcer(Generic[LevelT]):
    """Tells one kind of level to its observers."""

    def __init__(
        self,
        *,
        level: str,
        database: Database,
        source: LevelSource[LevelT],
        observers: Sequence[LevelObserver[LevelT]],
        metrics: ServiceMetrics,
        timing: AnnouncerTiming,
    ) -> None:
        self.name = f"announce_{level}"
        self._level = level
        self._database = database
        self._source = source
        self._observers = [observer.name for observer in observers]
        self._timing = timing
        self._sweep_after: LevelKey | None = None
        self._sweep_due_time = 0.0
        self._sweeper = PollingWorker(
            f"sweep_{level}", self._sweep_when_due, timing.poll_interval_seconds
        )
        self._feeds = [
            Feed(
                level=level,
                observer=observer,
                source=source,
                database=database,
                lift_revision=self._lift_revision,
                metrics=metrics,
                timing=timing,
            )
            for observer in observers
        ]

    async def mark(self, connection: Connection, changed: Sequence[CurrentLevel]) -> None:
        """Note, in the transaction that changes levels, that all observers are to be told."""
        await storage.mark(connection, self._level, changed, self._observers, HEAD_START_SECONDS)

    async def read_deliveries(
        self, connection: Connection, keys: Sequence[LevelKey], observer: str
    ) -> dict[LevelKey, Delivery]:
        """Return how far an observer has taken each of these levels."""
        return await storage.read_deliveries(connection, Line(self._level, observer), keys)

    async def read_backlogs(self, connection: Connection) -> list[Backlog]:
        """Return what each observer has not acknowledged."""
        return await storage.read_backlogs(connection, self._level, self._observers)

    def wake(self, key: LevelKey) -> None:
        """Announce now what was marked; to be called after the commit."""
        for feed in self._feeds:
            feed.wake(key)

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until stop is set."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sweeper.run(stop))
            for feed in self._feeds:
                group.create_task(feed.run(stop))

    async def _lift_revision(self, key: LevelKey, from_at_most: int, to: int) -> bool:
        return await self._database.transact(self._lift_and_mark, key, from_at_most, to)

    async def _lift_and_mark(
        self, connection: Connection, key: LevelKey, from_at_most: int, to: int
    ) -> bool:
        lifted = await self._source.lift_revision(connection, key, from_at_most, to)
        if lifted:
            await self.mark(connection, [CurrentLevel(key, to)])
        return lifted

    async def _sweep_when_due(self) -> bool:
        """Mark everything again, a batch at a time, so that a new or restored observer fills up."""
        now = asyncio.get_running_loop().time()
        if now < self._sweep_due_time:
            return False
        levels = await self._database.run(self._source.list_levels, self._sweep_after, SWEEP_BATCH)
        await self._database.run(self.mark, levels)
        if len(levels) < SWEEP_BATCH:
            self._sweep_after = None
            self._sweep_due_time = now + self._timing.sweep_interval_seconds
        else:
            self._sweep_after = levels[-1].key
        return False
