"""Lets those who ask at the same time ride together: what a trip costs is shared by all of them."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from libs.database import DatabaseUnavailableError
from libs.errors import OverloadedError
from libs.gathering import Gathering
from libs.logs import get_logger
from libs.tracing import cause, working

RETRY_AFTER_SECONDS = 1.0

RequestT = TypeVar("RequestT")
AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True)
class RidingLimits:
    """How many ride at most, and wait at most; how many trips are under way at once."""

    riders_per_trip_max: int = 256
    waiting_max: int = 4096
    trips_at_once_max: int = 1


class Rider(NamedTuple, Generic[RequestT, AnswerT]):
    """A request, and who waits for what comes of it."""

    request: RequestT
    answer: asyncio.Future[AnswerT]
    cause: str | None


class Riding(Generic[RequestT, AnswerT]):
    """A queue in front of trips that carry many requests at once to the database.

    A request rides in a trip that starts after it has come, so its answer is never older than it.
    A lone one waits for nothing. Whoever hangs up is left behind, or not missed. A trip that fails
    of a defect is made again in halves, until only the guilty one hears of it.
    """

    def __init__(
        self,
        carry: Callable[[Sequence[RequestT]], Awaitable[Sequence[AnswerT]]],
        limits: RidingLimits,
    ) -> None:
        """`carry` answers in the order of its requests; it may be called again for some of them."""
        self._carry = carry
        self._limits = limits
        self._waiting: deque[Rider[RequestT, AnswerT]] = deque()
        self._trips: set[asyncio.Task[None]] = set()
        self._gathering = Gathering(lambda: len(self._waiting), self._start)

    async def ride(self, request: RequestT) -> AnswerT:
        """Return what comes of the request.

        Raises OverloadedError before anything is done, DatabaseUnavailableError, or the defect that
        is this request's own.
        """
        if len(self._waiting) >= self._limits.waiting_max:
            raise OverloadedError("too many wait already", RETRY_AFTER_SECONDS)
        answer: asyncio.Future[AnswerT] = asyncio.get_running_loop().create_future()
        self._waiting.append(Rider(request, answer, cause()))
        self._gathering.note_arrival()
        return await answer

    def _start(self) -> None:
        while len(self._trips) < self._limits.trips_at_once_max and (riders := self._board()):
            self._gathering.note_start(len(riders))
            # Not in the context of the call that happens to start it: its log lines are of many.
            trip = asyncio.create_task(self._travel(riders), context=Context())
            self._trips.add(trip)
            trip.add_done_callback(self._note_end)

    def _board(self) -> list[Rider[RequestT, AnswerT]]:
        riders: list[Rider[RequestT, AnswerT]] = []
        while self._waiting and len(riders) < self._limits.riders_per_trip_max:
            rider = self._waiting.popleft()
            if not rider.answer.done():
                riders.append(rider)
        return riders

    def _note_end(self, trip: asyncio.Task[None]) -> None:
        self._trips.discard(trip)
        self._gathering.note_end()

    async def _travel(self, riders: Sequence[Rider[RequestT, AnswerT]]) -> None:
        try:
            with working("trip", (rider.cause for rider in riders)):
                answers = await self._carry([rider.request for rider in riders])
            pairs = list(zip(riders, answers, strict=True))
        except DatabaseUnavailableError as error:
            _tell_all(riders, error)
        except Exception as error:  # noqa: BLE001 - it is one request's; the others go on
            await self._travel_in_halves(riders, error)
        else:
            for rider, answer in pairs:
                # Whoever hung up meanwhile hears nothing.
                if not rider.answer.done():
                    rider.answer.set_result(answer)

    async def _travel_in_halves(
        self, riders: Sequence[Rider[RequestT, AnswerT]], error: Exception
    ) -> None:
        middle = len(riders) // 2
        if not middle:
            _tell_all(riders, error)
            return
        get_logger().warning("trip_is_split", riders=len(riders), error=type(error).__name__)
        for half in (riders[:middle], riders[middle:]):
            await self._travel(half)


def _tell_all(riders: Sequence[Rider[RequestT, AnswerT]], error: Exception) -> None:
    for rider in riders:
        if not rider.answer.done():
            rider.answer.set_exception(error)
