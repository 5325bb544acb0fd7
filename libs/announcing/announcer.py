"""Announces a level to each observer until it has acknowledged the current revision.

In the transaction that changes a level its owner calls `mark`; after the commit, `wake`. So a level
that is lost, doubled, late or out of order does no harm, and whoever was away catches up by itself.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from libs.announcing import storage
from libs.announcing.ports import (
    AnnouncerTiming,
    CurrentLevel,
    LevelKey,
    LevelObserver,
    LevelSource,
)
from libs.announcing.storage import BackOff, Due
from libs.database import Connection, Database, DatabaseUnavailableError
from libs.errors import DomainError, ErrorReason
from libs.logs import get_logger
from libs.metrics import ServiceMetrics
from libs.workers import PollingWorker

# The committing process announces at once; others look after this, so that they don't double it.
HEAD_START_SECONDS = 1.0
LEASE_SECONDS = 10.0
BACK_OFF_BASE_SECONDS = 0.2
DUE_BATCH = 500
SWEEP_BATCH = 200
DELIVERIES_MAX = 16


class Level(Protocol):
    """What all levels have."""

    @property
    def revision(self) -> int:
        """Return the revision at which it stands."""
        ...


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
        self._observers = {observer.name: observer for observer in observers}
        self._metrics = metrics
        self._timing = timing
        self._sweep_after: LevelKey | None = None
        self._sweep_due_time = 0.0
        # A queue for each observer, so that one that hangs does not hold up the others.
        self._queues: dict[str, asyncio.Queue[Due]] = {
            name: asyncio.Queue() for name in self._observers
        }
        self._queued: set[Due] = set()
        self._poller = PollingWorker(self.name, self._poll, timing.poll_interval_seconds)

    async def mark(self, connection: Connection, current: CurrentLevel) -> None:
        """Note, in the transaction that changes the level, that all observers are to be told."""
        await storage.mark(
            connection, self._level, current, list(self._observers), HEAD_START_SECONDS
        )

    def wake(self, key: LevelKey) -> None:
        """Announce now what was marked; to be called after the commit."""
        for observer in self._observers:
            self._enqueue(Due(key, observer))

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until stop is set."""
        async with asyncio.TaskGroup() as group:
            deliverers = [
                group.create_task(self._deliver_for_ever(queue))
                for queue in self._queues.values()
                for _ in range(DELIVERIES_MAX)
            ]
            await self._poller.run(stop)
            for deliverer in deliverers:
                deliverer.cancel()

    def _enqueue(self, due: Due) -> None:
        if due not in self._queued:
            self._queued.add(due)
            self._queues[due.observer].put_nowait(due)

    async def _poll(self) -> bool:
        await self._sweep_when_due()
        dues = await self._database.run(storage.list_due, self._level, DUE_BATCH)
        for due in dues:
            if due.observer in self._observers and await self._database.run(
                storage.claim, self._level, due, LEASE_SECONDS
            ):
                self._enqueue(due)
        return len(dues) == DUE_BATCH

    async def _deliver_for_ever(self, queue: asyncio.Queue[Due]) -> None:
        while True:
            due = await queue.get()
            # Taken out before the level is read: a change from here on queues it again.
            self._queued.discard(due)
            try:
                await self._deliver(due)
            except DatabaseUnavailableError:
                get_logger().warning("announcement_waits_for_database", level=self._level)

    async def _deliver(self, due: Due) -> None:
        level = await self._database.run(self._source.read_level, due.key)
        try:
            held = await self._observers[due.observer].report(due.key, level)
        except DomainError as error:
            await self._handle_refusal(due, level, error)
            return
        if held > level.revision:
            await self._jump_above(due, held)
        else:
            self._count(due, "acknowledged")
            await self._database.run(storage.acknowledge, self._level, due, held)

    async def _handle_refusal(self, due: Due, level: LevelT, error: DomainError) -> None:
        if error.reason is ErrorReason.REFERENCE_CONFLICT:
            await self._jump_above(due, level.revision)
            return
        self._count(due, "failed")
        get_logger().warning(
            "announcement_failed",
            level=self._level,
            observer=due.observer,
            organization_id=due.key.organization_id,
            reason=error.reason,
            error=error.message,
        )
        await self._database.run(
            storage.postpone,
            self._level,
            due,
            BackOff(
                BACK_OFF_BASE_SECONDS,
                self._timing.back_off_max_seconds,
                jitter=random.uniform(0.5, 1.0),
            ),
            f"{error.reason}: {error.message}",
        )

    async def _jump_above(self, due: Due, revision: int) -> None:
        """The observer has seen a future that this database does not know: it was restored."""
        self._count(due, "behind")
        get_logger().error(
            "level_behind_its_observer",
            level=self._level,
            observer=due.observer,
            organization_id=due.key.organization_id,
            revision=revision,
        )
        await self._database.transact(self._lift_revision, due.key, revision)
        self.wake(due.key)

    async def _lift_revision(self, connection: Connection, key: LevelKey, above: int) -> None:
        revision = await self._source.lift_revision(connection, key, above)
        await self.mark(connection, CurrentLevel(key, revision))

    async def _sweep_when_due(self) -> None:
        """Mark everything again, a batch at a time, so that a new or restored observer fills up."""
        now = asyncio.get_running_loop().time()
        if now < self._sweep_due_time:
            return
        levels = await self._database.run(self._source.list_levels, self._sweep_after, SWEEP_BATCH)
        for current in levels:
            await self._database.run(self.mark, current)
        if len(levels) < SWEEP_BATCH:
            self._sweep_after = None
            self._sweep_due_time = now + self._timing.sweep_interval_seconds
        else:
            self._sweep_after = levels[-1].key

    def _count(self, due: Due, outcome: str) -> None:
        self._metrics.announcements.labels(self._level, due.observer, outcome).inc()
