"""Loops that run for ever, the same way everywhere."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from libs.database import DatabaseUnavailableError
from libs.logs import enter_work_on, get_logger

FAILURES_MAX = 10
ORGANIZATIONS_AT_ONCE = 4


class Worker(Protocol):
    """Something that works until it is told to stop, and then finishes what it has in hand."""

    name: str

    async def run(self, stop: asyncio.Event) -> None:
        """Work until stop is set. An exception means a defect and stops the service."""
        ...


class PollingWorker:
    """Runs a step again and again: at once while it finds work, else when woken or after a while.

    A step answers whether there may be more to do. While the database is away the worker waits.
    Anything else that a step lets through is a defect: it is logged and tried again a few times,
    and then it stops the service, since a loop that always fails must not look well.
    """

    def __init__(
        self, name: str, step: Callable[[], Awaitable[bool]], interval_seconds: float
    ) -> None:
        self.name = name
        self._step = step
        self._interval_seconds = interval_seconds
        self._woken = asyncio.Event()
        self._failures_in_a_row = 0

    def wake(self) -> None:
        """Let the next step start now."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until stop is set."""
        while not stop.is_set():
            self._woken.clear()
            if not await self._step_if_possible():
                await wait_for_any(stop, self._woken, timeout_seconds=self._interval_seconds)

    async def _step_if_possible(self) -> bool:
        try:
            more = await self._step()
        except DatabaseUnavailableError:
            get_logger().warning("worker_waits_for_database", worker=self.name)
            return False
        except Exception:
            self._failures_in_a_row += 1
            if self._failures_in_a_row >= FAILURES_MAX:
                raise
            get_logger().exception("worker_failed", worker=self.name)
            return False
        self._failures_in_a_row = 0
        return more


async def for_each_organization(
    organization_ids: Iterable[str], work: Callable[[str], Awaitable[object]]
) -> None:
    """Do the work for each, a few at a time; trouble with one does not keep the others waiting."""
    room = asyncio.Semaphore(ORGANIZATIONS_AT_ONCE)

    async def contained(organization_id: str) -> None:
        enter_work_on(organization_id)
        async with room:
            try:
                await work(organization_id)
            except DatabaseUnavailableError:
                get_logger().warning("organization_is_held_up", organization_id=organization_id)
            except Exception:  # noqa: BLE001 - whatever it is, other organizations go on
                get_logger().exception("organization_failed", organization_id=organization_id)

    await asyncio.gather(*(contained(organization_id) for organization_id in organization_ids))


async def wait_for_any(*events: asyncio.Event, timeout_seconds: float) -> None:
    """Return when one of the events is set, at the latest after the time-out."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def back_off_seconds(attempt_count: int, base_seconds: float, max_seconds: float) -> float:
    """Return the wait before the next attempt: doubled each time, bounded, and spread by chance."""
    doubled = base_seconds * (1 << min(attempt_count, 30))
    return min(max_seconds, doubled) * random.uniform(0.5, 1.0)
