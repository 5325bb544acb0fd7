"""The gateway's loops."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from libs.workers import PollingWorker, Worker

UPKEEP_SECONDS = 60.0


class Loops:
    """One or several loops over the same step. They can be woken before they are there."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._workers: list[PollingWorker] = []

    def wake(self) -> None:
        """Let them look for work now."""
        for worker in self._workers:
            worker.wake()

    def wake_in(self, seconds: float) -> None:
        """Let them look for work soon, for what was put off."""
        asyncio.get_running_loop().call_later(seconds, self.wake)

    def build(
        self, step: Callable[[], Awaitable[bool]], interval_seconds: float, count: int = 1
    ) -> Sequence[Worker]:
        """Return the loops to run."""
        self._workers = [
            PollingWorker(f"{self._name}_{number}", step, interval_seconds)
            for number in range(count)
        ]
        return self._workers
