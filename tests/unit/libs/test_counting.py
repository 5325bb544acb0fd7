"""However many ask how everything stands, it is counted once at a time."""

import asyncio

from libs.counting import counted_once


async def test_who_asks_at_the_same_time_is_answered_at_once_and_never_of_before() -> None:
    begun, has_begun, gate = list[int](), asyncio.Event(), asyncio.Event()

    async def count() -> int:
        begun.append(len(begun) + 1)
        number = begun[-1]
        has_begun.set()
        await gate.wait()
        return number

    read = counted_once(count)
    first = asyncio.ensure_future(read())
    await has_begun.wait()
    others = [asyncio.ensure_future(read()) for _ in range(100)]
    await asyncio.sleep(0)
    gate.set()
    assert await first == 1
    # What was begun before they asked is not theirs.
    assert await asyncio.gather(*others) == [2] * 100
    assert begun == [1, 2]
