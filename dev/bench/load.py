"""Drives calls, so many in flight or so many a second, and takes their time."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from statistics import median
from time import perf_counter, process_time
from typing import NamedTuple, TypeVar

RequestT = TypeVar("RequestT")

MICROSECONDS_PER_SECOND = 1_000_000


class Timing(NamedTuple):
    """How calls went; the cores are those that the client itself has used."""

    calls_per_second: float
    median_microseconds: float
    client_cores: float


async def pace(
    call: Callable[[RequestT], Coroutine[None, None, None]],
    requests: Iterable[RequestT],
    per_second: float,
) -> None:
    """Calls at even intervals, however long the calls take; one that fails ends everything."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with asyncio.TaskGroup() as group:
        for number, request in enumerate(requests):
            await asyncio.sleep(start + number / per_second - loop.time())
            group.create_task(call(request))


async def drive(
    call: Callable[[RequestT], Awaitable[None]],
    requests: Iterable[RequestT],
    in_flight: int,
    seconds: float = float("inf"),
) -> Timing:
    """Calls until the requests or the seconds are used up; a call that fails ends everything."""
    waiting = iter(requests)
    latencies: list[float] = []
    processor_start, start = process_time(), perf_counter()

    async def call_on() -> None:
        for request in waiting:
            call_start = perf_counter()
            if call_start - start > seconds:
                return
            await call(request)
            latencies.append(perf_counter() - call_start)

    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(call_on())
    elapsed, processor_elapsed = perf_counter() - start, process_time() - processor_start
    return Timing(
        calls_per_second=len(latencies) / elapsed,
        median_microseconds=median(latencies) * MICROSECONDS_PER_SECOND,
        client_cores=processor_elapsed / elapsed,
    )
