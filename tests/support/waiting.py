"""Waits for conditions instead of sleeping."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

ResultT = TypeVar("ResultT")


async def eventually(
    look: Callable[[], Awaitable[ResultT]],
    is_reached: Callable[[ResultT], bool],
    timeout_seconds: float = 15.0,
) -> ResultT:
    """Look until the condition is reached and return what was seen; fail with the last sight."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        seen = await look()
        if is_reached(seen):
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not reached in {timeout_seconds} s; last seen: {seen}")
        await tick()


async def tick() -> None:
    """Let the clock go on for a moment, between two looks or attempts."""
    await let_time_pass(0.01)


async def let_time_pass(seconds: float) -> None:
    """Let the clock go on, where that itself is what happens; who waits for something looks."""
    loop = asyncio.get_running_loop()
    passed = asyncio.Event()
    loop.call_later(seconds, passed.set)
    await passed.wait()
