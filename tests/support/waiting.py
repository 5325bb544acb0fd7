"""Waits for conditions instead of sleeping."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

ResultT = TypeVar("ResultT")

TICK_SECONDS = 0.01
LOOK_SECONDS_MAX = 0.05


async def eventually(
    look: Callable[[], Awaitable[ResultT]],
    is_reached: Callable[[ResultT], bool],
    timeout_seconds: float = 15.0,
) -> ResultT:
    """Look until the condition is reached and return what was seen; fail with the last sight.

    The longer it takes, the less often it is looked: looks cost what is waited for its time.
    """
    begin = time.monotonic()
    while True:
        seen = await look()
        waited = time.monotonic() - begin
        if is_reached(seen):
            return seen
        if waited > timeout_seconds:
            raise AssertionError(f"not reached in {timeout_seconds} s; last seen: {seen}")
        await let_time_pass(min(max(waited / 5, TICK_SECONDS), LOOK_SECONDS_MAX))


async def tick() -> None:
    """Let the clock go on for a moment, between two looks or attempts."""
    await let_time_pass(TICK_SECONDS)


async def let_time_pass(seconds: float) -> None:
    """Let the clock go on, where that itself is what happens; who waits for something looks."""
    loop = asyncio.get_running_loop()
    passed = asyncio.Event()
    loop.call_later(seconds, passed.set)
    await passed.wait()
