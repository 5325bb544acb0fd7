"""Those who ask at the same time ride together, and nobody suffers for another."""

import asyncio
from collections.abc import Sequence

import pytest

from libs.database import DatabaseUnavailableError
from libs.errors import OverloadedError
from libs.riding import Riding, RidingLimits

BAD = -1


class RefusedError(Exception):
    """What is wrong with one request."""


class Line:
    """Trips that end when they are told to, each telling what was known when it started."""

    def __init__(self, limits: RidingLimits | None = None) -> None:
        self.known = 0
        self.trips: list[list[int]] = []
        self.may_end = asyncio.Event()
        self.has_started = asyncio.Event()
        self.failure: Exception | None = None
        self.riding = Riding(self._carry, limits or RidingLimits())

    async def _carry(self, requests: Sequence[int]) -> list[tuple[int, int]]:
        known = self.known
        self.trips.append(list(requests))
        self.has_started.set()
        await self.may_end.wait()
        if self.failure is not None:
            raise self.failure
        if BAD in requests:
            raise RefusedError
        return [(request, known) for request in requests]

    def ask(self, *requests: int) -> list[asyncio.Task[tuple[int, int]]]:
        return [asyncio.create_task(self.riding.ride(request)) for request in requests]

    async def start(self, *requests: int) -> list[asyncio.Task[tuple[int, int]]]:
        """Return when a trip with these is under way."""
        self.has_started.clear()
        asked = self.ask(*requests)
        await self.has_started.wait()
        return asked


async def test_a_lone_one_waits_for_no_timer() -> None:
    line = Line()
    [asked] = line.ask(1)
    for _ in range(3):
        await asyncio.sleep(0)
    assert line.trips == [[1]]
    line.may_end.set()
    assert await asked == (1, 0)


async def test_who_comes_meanwhile_rides_together_in_the_next() -> None:
    line = Line()
    first = await line.start(1)
    others = line.ask(2, 3, 4)
    line.may_end.set()
    answers = await asyncio.gather(*first, *others)
    assert [request for request, _ in answers] == [1, 2, 3, 4]
    assert line.trips == [[1], [2, 3, 4]]


async def test_an_answer_is_never_older_than_its_request() -> None:
    """What becomes known while a trip is under way is told to whoever asks after that."""
    line = Line()
    [before] = await line.start(1)
    line.known = 1
    [after] = line.ask(1)
    await asyncio.sleep(0)
    line.may_end.set()
    assert await before == (1, 0)
    assert await after == (1, 1)


async def test_trips_are_no_longer_and_no_more_than_they_may_be() -> None:
    line = Line(RidingLimits(riders_per_trip_max=3, trips_at_once_max=2))
    asked = await line.start(*range(10))
    assert line.trips == [[0, 1, 2], [3, 4, 5]]
    line.may_end.set()
    await asyncio.gather(*asked)
    assert list(map(len, line.trips)) == [3, 3, 3, 1]


async def test_who_hangs_up_takes_nobody_along() -> None:
    line = Line()
    riding = await line.start(1, 2)
    waiting = line.ask(3, 4)
    await asyncio.sleep(0)
    for each in (riding[0], waiting[0]):
        each.cancel()
    line.may_end.set()
    answers = await asyncio.gather(*riding, *waiting, return_exceptions=True)
    assert answers[1::2] == [(2, 0), (4, 0)]
    assert line.trips == [[1, 2], [4]]


async def test_one_that_fails_does_not_fail_the_others() -> None:
    line = Line()
    line.may_end.set()
    answers = await asyncio.gather(*line.ask(*range(9), BAD, *range(9)), return_exceptions=True)
    assert isinstance(answers.pop(9), RefusedError)
    assert answers == [(request, 0) for request in (*range(9), *range(9))]


async def test_a_database_that_is_away_is_told_to_all_at_once() -> None:
    line = Line()
    line.may_end.set()
    line.failure = DatabaseUnavailableError()
    answers = await asyncio.gather(*line.ask(*range(9)), return_exceptions=True)
    assert {type(each) for each in answers} == {DatabaseUnavailableError}
    assert len(line.trips) == 1


async def test_a_trip_that_forgets_somebody_answers_nobody_wrongly() -> None:
    async def carry(requests: Sequence[int]) -> Sequence[int]:
        return requests[:1]

    riding = Riding(carry, RidingLimits())
    answers = await asyncio.gather(*map(riding.ride, range(3)))
    assert answers == [0, 1, 2]


async def test_too_many_are_refused_before_they_wait() -> None:
    line = Line(RidingLimits(waiting_max=5))
    first = await line.start(0)
    waiting = line.ask(*range(5))
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        await line.riding.ride(6)
    line.may_end.set()
    await asyncio.gather(*first, *waiting)
    assert await line.riding.ride(7) == (7, 0)
