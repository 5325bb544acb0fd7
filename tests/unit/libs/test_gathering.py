"""When a batch starts: few callers wait for nobody, a crowd comes together first."""

import asyncio

from libs.gathering import CROWD_MIN, Gathering


class Queue:
    """Callers who wait, and how often a batch was started."""

    def __init__(self) -> None:
        self.waiting_count = 0
        self.start_count = 0
        self.started = asyncio.Event()
        self.gathering = Gathering(lambda: self.waiting_count, self._start)

    def _start(self) -> None:
        self.start_count += 1
        self.started.set()

    def arrive(self) -> None:
        self.waiting_count += 1
        self.gathering.note_arrival()

    def end_with_riders(self, count: int) -> None:
        self.gathering.note_start(count)
        self.gathering.note_end()


async def one_turn() -> None:
    await asyncio.sleep(0)


async def test_a_lone_caller_waits_for_no_timer() -> None:
    queue = Queue()
    queue.arrive()
    await one_turn()
    assert queue.start_count == 1


async def test_those_who_come_in_one_turn_ride_together() -> None:
    queue = Queue()
    for _ in range(3):
        queue.arrive()
    assert queue.start_count == 0
    await one_turn()
    assert queue.start_count == 1


async def test_few_riders_are_not_waited_for() -> None:
    queue = Queue()
    queue.arrive()
    queue.end_with_riders(CROWD_MIN - 1)
    await one_turn()
    assert queue.start_count == 1


async def test_a_crowd_is_waited_for_until_all_are_back() -> None:
    queue = Queue()
    queue.arrive()
    queue.end_with_riders(CROWD_MIN)
    for _ in range(CROWD_MIN):
        await one_turn()
        assert queue.start_count == 0
        queue.arrive()
    assert queue.start_count == 1


async def test_a_crowd_that_has_gone_is_not_waited_for_long() -> None:
    queue = Queue()
    queue.arrive()
    queue.end_with_riders(1000)
    await queue.started.wait()
    assert queue.start_count == 1


async def test_callers_who_never_cease_to_arrive_hold_up_nobody() -> None:
    queue = Queue()
    queue.arrive()
    queue.end_with_riders(1_000_000_000)
    while not queue.started.is_set():
        queue.arrive()
        await one_turn()
    assert queue.start_count == 1


async def test_what_a_crowd_has_started_is_started_once() -> None:
    queue = Queue()
    queue.end_with_riders(CROWD_MIN)
    for _ in range(2 * CROWD_MIN):
        queue.arrive()
    assert queue.start_count == 1
