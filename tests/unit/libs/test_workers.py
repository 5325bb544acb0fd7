"""Loops that run for ever."""

import asyncio

import pytest

from libs.database import DatabaseUnavailableError
from libs.workers import FAILURES_MAX, PollingWorker

INTERVAL_SECONDS = 0.001
IDLE, BUSY = False, True


class Steps:
    """Does what a script says, then stops the worker."""

    def __init__(self, *script: Exception | bool) -> None:
        self.script = list(script)
        self.stop = asyncio.Event()

    async def step(self) -> bool:
        """Do the next thing."""
        if not self.script:
            self.stop.set()
            return False
        done = self.script.pop(0)
        if isinstance(done, Exception):
            raise done
        return done


async def test_a_worker_gets_over_what_passes() -> None:
    defects = [RuntimeError("defect")] * (FAILURES_MAX - 1)
    away = [DatabaseUnavailableError()] * (2 * FAILURES_MAX)
    steps = Steps(*defects, IDLE, *defects, BUSY, *away)
    await PollingWorker("worker", steps.step, INTERVAL_SECONDS).run(steps.stop)
    assert steps.script == []


async def test_a_worker_that_always_fails_does_not_look_well() -> None:
    steps = Steps(*[RuntimeError("defect")] * FAILURES_MAX)
    with pytest.raises(RuntimeError):
        await PollingWorker("worker", steps.step, INTERVAL_SECONDS).run(steps.stop)


async def test_a_worker_that_is_woken_does_not_wait() -> None:
    steps = Steps(IDLE, IDLE)
    worker = PollingWorker("worker", steps.step, interval_seconds=3600.0)
    running = asyncio.create_task(worker.run(steps.stop))
    while not steps.stop.is_set():
        worker.wake()
        await asyncio.sleep(0)
    await running
