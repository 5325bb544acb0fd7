"""Says when the next batch starts: at once for few callers, a moment later for a crowd."""

import asyncio
import math
from collections.abc import Callable

CROWD_MIN = 4
STEP_SECONDS = 0.001
SECONDS_MAX = 0.02


class Gathering:
    """Lets a crowd ride together: what a transaction costs is then shared by more.

    gRPC hands calls over one by one, as fast as the processor takes them, so that a transaction
    which starts with the first few leaves the others behind. A crowd is waited for until as many
    are there as waited and rode before, until a step brings nobody new, or until it takes too long.
    """

    def __init__(self, waiting_count: Callable[[], int], start: Callable[[], None]) -> None:
        self._waiting_count = waiting_count
        self._start = start
        self._pending: asyncio.Handle | None = None
        self._riding_count = 0
        self._wanted_count = math.inf
        self._until = 0.0

    def note_start(self, callers: int) -> None:
        """So many callers ride together now."""
        self._riding_count = callers

    def note_end(self) -> None:
        """A batch has ended: those who rode may be back soon."""
        if self._pending is not None:
            self._pending.cancel()
        self._wait()

    def note_arrival(self) -> None:
        """Somebody has come."""
        if self._pending is None:
            self._wait()
        elif self._waiting_count() >= self._wanted_count:
            self._pending.cancel()
            self._begin()

    def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        if self._riding_count < CROWD_MIN:
            # Those who come in the same turn still ride along.
            self._wanted_count = math.inf
            self._pending = loop.call_soon(self._begin)
        else:
            self._wanted_count = self._waiting_count() + self._riding_count
            self._until = loop.time() + SECONDS_MAX
            self._step(-1)

    def _step(self, seen_count: int) -> None:
        loop = asyncio.get_running_loop()
        count = self._waiting_count()
        if seen_count < count < self._wanted_count and loop.time() < self._until:
            self._pending = loop.call_later(STEP_SECONDS, self._step, count)
        else:
            self._begin()

    def _begin(self) -> None:
        self._pending = None
        self._start()
