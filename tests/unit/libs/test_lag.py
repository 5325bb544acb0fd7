"""A loop that is held up is seen to be late."""

import asyncio

import pytest

from libs import lag
from libs.lag import EventLoopLag
from tests.support.waiting import eventually

BUSY_SECONDS = 0.05


async def test_a_loop_that_is_held_up_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lag, "LOOK_SECONDS", 0.001)
    seen: list[float] = []
    stop = asyncio.Event()
    running = asyncio.create_task(EventLoopLag(seen.append).run(stop))

    async def looks() -> int:
        return len(seen)

    await eventually(looks, lambda count: count > 0)
    loop = asyncio.get_running_loop()
    until = loop.time() + BUSY_SECONDS
    while loop.time() < until:
        """Somebody computes for long."""
    count = len(seen)
    await eventually(looks, lambda later: later > count)
    stop.set()
    await running
    assert max(seen) >= BUSY_SECONDS - 2 * 0.001
