"""Tells one kind of level to one observer, until it holds what is current."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from libs.announcing import storage
from libs.announcing.ports import AnnouncerTiming, Level, LevelKey, LevelObserver, LevelSource
from libs.announcing.storage import BackOff, Line
from libs.database import Database, DatabaseUnavailableError
from libs.errors import DomainError, ErrorReason
from libs.logs import get_logger, working_on
from libs.metrics import ServiceMetrics
from libs.tracing import cause, working
from libs.workers import PollingWorker

DELIVERIES_MAX = 16
# What is woken beyond this is left to the poller: it is due in the database anyway.
QUEUE_MAX = 1000
# The poller takes no more than can be told before its lease ends.
CLAIMS_MAX = 2 * DELIVERIES_MAX
LEASE_SECONDS = 20.0
BACK_OFF_BASE_SECONDS = 0.2
# A restored database needs one jump; an observer that is always ahead is waited for.
JUMPS_AT_ONCE = 2
# Far from the end of int64, so that there is always a revision above.
REVISION_MAX = 2**62

LevelT = TypeVar("LevelT", bound=Level)

# Sets a level's revision to the third value if it is at most the second, and marks it.
LiftRevision = Callable[[LevelKey, int, int], Awaitable[bool]]


class Feed(Generic[LevelT]):
    """A queue of its own for each observer: one that hangs holds up nobody else."""

    def __init__(
        self,
        *,
        level: str,
        observer: LevelObserver[LevelT],
        source: LevelSource[LevelT],
        database: Database,
        lift_revision: LiftRevision,
        metrics: ServiceMetrics,
        timing: AnnouncerTiming,
    ) -> None:
        self._line = Line(level, observer.name)
        self._observer = observer
        self._source = source
        self._database = database
        self._lift_revision = lift_revision
        # From the start, so that the first of them is seen to be one more.
        self._counts = {
            outcome: metrics.announcements.labels(level, observer.name, outcome)
            for outcome in ("acknowledged", "behind", "failed")
        }
        self._timing = timing
        self._queue: asyncio.Queue[LevelKey] = asyncio.Queue()
        self._queued: set[LevelKey] = set()
        # Which call or event has woken it last, if anybody traces them.
        self._causes: dict[LevelKey, str] = {}
        self._in_hand: set[LevelKey] = set()
        self._again: set[LevelKey] = set()
        self._jumps: Counter[LevelKey] = Counter()
        # More is due than was claimed: the poller is woken as soon as there is room.
        self._backlog = False
        name = f"announce_{level}_to_{observer.name}"
        self._poller = PollingWorker(name, self._poll, timing.poll_interval_seconds)

    def wake(self, key: LevelKey) -> None:
        """Tell this level soon; after what is being told of it now."""
        if key in self._in_hand:
            self._again.add(key)
        elif key not in self._queued and self._queue.qsize() < QUEUE_MAX:
            self._queued.add(key)
            self._queue.put_nowait(key)
        if (asked := cause()) and (key in self._in_hand or key in self._queued):
            self._causes[key] = asked

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until stop is set."""
        async with asyncio.TaskGroup() as group:
            deliverers = [
                group.create_task(self._deliver_for_ever()) for _ in range(DELIVERIES_MAX)
            ]
            await self._poller.run(stop)
            for deliverer in deliverers:
                deliverer.cancel()

    async def _poll(self) -> bool:
        room = CLAIMS_MAX - self._queue.qsize()
        if room <= 0:
            self._backlog = True
            return False
        claimed = 0
        for key in await self._database.run(storage.list_due, self._line, room):
            if await self._database.run(storage.claim, self._line, key, LEASE_SECONDS):
                self.wake(key)
                claimed += 1
        self._backlog = claimed == room
        return False

    async def _deliver_for_ever(self) -> None:
        while True:
            key = await self._queue.get()
            self._queued.discard(key)
            self._in_hand.add(key)
            asked = self._causes.pop(key, None)
            with working_on(organization_id=key.organization_id), working("announce", [asked]):
                await self._deliver_or_wait(key)
            self._in_hand.discard(key)
            if key in self._again:
                self._again.discard(key)
                self.wake(key)
            if self._backlog and self._queue.qsize() < DELIVERIES_MAX:
                self._poller.wake()

    async def _deliver_or_wait(self, key: LevelKey) -> None:
        try:
            await self._deliver_or_postpone(key)
        except DatabaseUnavailableError:
            get_logger().warning("announcement_waits_for_database", level=self._line.level)

    async def _deliver_or_postpone(self, key: LevelKey) -> None:
        try:
            await self._deliver(key)
        except DatabaseUnavailableError:
            raise
        except DomainError as error:
            await self._postpone(key, f"{error.reason}: {error.message}")
        except Exception as error:  # noqa: BLE001 - whatever it is, other levels go on
            get_logger().exception("announcement_defect", organization_id=key.organization_id)
            await self._postpone(key, f"internal error: {type(error).__name__}")

    async def _deliver(self, key: LevelKey) -> None:
        level = await self._database.run(self._source.read_level, key)
        try:
            held = await self._observer.report(key, level)
        except DomainError as error:
            if error.reason is not ErrorReason.REFERENCE_CONFLICT:
                raise
            await self._jump(key, level.revision, level.revision + 1)
            return
        if held > REVISION_MAX:
            raise DomainError(
                ErrorReason.INVALID_STATE, f"the observer holds an absurd revision: {held}"
            )
        if held > level.revision:
            await self._jump(key, held - 1, held + 1)
            return
        self._jumps.pop(key, None)
        self._counts["acknowledged"].inc()
        await self._database.run(storage.acknowledge, self._line, key, held)

    async def _jump(self, key: LevelKey, from_at_most: int, to: int) -> None:
        """The observer has seen a future that this database does not know: it was restored.

        If the level has moved on by itself meanwhile, there was no such future, and it is due.
        """
        if not await self._lift_revision(key, from_at_most, to):
            return
        self._counts["behind"].inc()
        get_logger().error(
            "level_behind_its_observer",
            level=self._line.level,
            observer=self._line.observer,
            organization_id=key.organization_id,
            revision=to,
        )
        self._jumps[key] += 1
        if self._jumps[key] > JUMPS_AT_ONCE:
            await self._postpone(key, "the observer is always ahead")
        else:
            self.wake(key)

    async def _postpone(self, key: LevelKey, error: str) -> None:
        self._counts["failed"].inc()
        get_logger().warning(
            "announcement_failed",
            level=self._line.level,
            observer=self._line.observer,
            organization_id=key.organization_id,
            key=key.key,
            error=error,
        )
        back_off = BackOff(
            BACK_OFF_BASE_SECONDS,
            self._timing.back_off_max_seconds,
            jitter=random.uniform(0.5, 1.0),
        )
        await self._database.run(storage.postpone, self._line, key, back_off, error)
