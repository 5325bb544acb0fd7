"""Waiting for what another process may write."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

PAUSE_SECONDS, PAUSE_SECONDS_MAX = 0.02, 0.5

T = TypeVar("T")


async def look_until(is_over: Callable[[T], bool], look: Callable[[], Awaitable[T]]) -> T:
    """Look again and again, ever more rarely, until what is seen ends it; return that."""
    pause_seconds = PAUSE_SECONDS
    while not is_over(seen := await look()):
        await asyncio.sleep(pause_seconds)
        pause_seconds = min(PAUSE_SECONDS_MAX, 2 * pause_seconds)
    return seen
