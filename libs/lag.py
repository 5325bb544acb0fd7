"""How late the event loop comes to what is due: for as long, everybody waits."""

import asyncio
from collections.abc import Callable

from libs.workers import wait_for_any

LOOK_SECONDS = 0.25


class EventLoopLag:
    """Asks to be woken again and again, and tells how late it was."""

    name = "event_loop_lag"

    def __init__(self, observe_seconds: Callable[[float], None]) -> None:
        self._observe_seconds = observe_seconds

    async def run(self, stop: asyncio.Event) -> None:
        """Measure until stop is set."""
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            due_time = loop.time() + LOOK_SECONDS
            await wait_for_any(stop, timeout_seconds=LOOK_SECONDS)
            if not stop.is_set():
                self._observe_seconds(max(0.0, loop.time() - due_time))
