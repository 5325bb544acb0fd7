"""What can go wrong when a provider is asked, and the switches that make it so."""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Annotated, Literal, assert_never

from aiohttp import hdrs, web
from pydantic import Field, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

UNAVAILABLE_PAGE = "<html><body><h1>{} Service Temporarily Unavailable</h1></body></html>"


@dataclass(frozen=True)
class Unavailable:
    """A page of HTML, as from a proxy in front of the provider; nothing is changed."""

    status: Annotated[int, Field(ge=500, le=599)] = 503
    kind: Literal["unavailable"] = "unavailable"


@dataclass(frozen=True)
class TooManyRequests:
    """429, with a Retry-After header if that is given; nothing is changed."""

    retry_after_seconds: NonNegativeInt | None = None
    kind: Literal["too_many_requests"] = "too_many_requests"


@dataclass(frozen=True)
class Hang:
    """The request is read and never answered; nothing is changed."""

    kind: Literal["hang"] = "hang"


@dataclass(frozen=True)
class Latency:
    """The request takes effect and is answered after this time, even if its caller gave up."""

    milliseconds: NonNegativeInt
    kind: Literal["latency"] = "latency"


@dataclass(frozen=True)
class Overtaken:
    """The request takes effect, and is answered, after so many later ones or after this time."""

    later: PositiveInt = 1
    milliseconds_max: PositiveInt | None = None
    kind: Literal["overtaken"] = "overtaken"


@dataclass(frozen=True)
class Cut:
    """The connection closes when the request is read; nothing is changed."""

    kind: Literal["cut"] = "cut"


@dataclass(frozen=True)
class LostAnswer:
    """The request takes effect, and the connection closes before its answer."""

    kind: Literal["lost_answer"] = "lost_answer"


@dataclass(frozen=True)
class Refusal:
    """An error of the provider's with any code; nothing is changed."""

    code: str
    status: Annotated[int, Field(ge=400, le=599)]
    kind: Literal["refusal"] = "refusal"


@dataclass(frozen=True)
class Echo:
    """A refusal that quotes the caller's credentials back; nothing is changed."""

    status: Annotated[int, Field(ge=400, le=599)]
    kind: Literal["echo"] = "echo"


Fault = (
    Unavailable | TooManyRequests | Hang | Latency | Overtaken | Cut | LostAnswer | Refusal | Echo
)


@dataclass
class Switch:
    """A fault that is on: for one call or all (None), so many times or until lifted (None)."""

    fault: Annotated[Fault, Field(discriminator="kind")]
    call: str | None = None
    times: PositiveInt | None = None


@dataclass(frozen=True)
class Load:
    """How busy the provider is: each request takes so long, and so many are served at once.

    Who finds no place waits for one, or hears that there are too many requests.
    """

    milliseconds: NonNegativeInt = 0
    at_once_max: PositiveInt | None = None
    refuses_more: bool = False


class NoAnswer(web.Response):
    """Stands for an answer whose connection is closed: nobody is left to hear it."""


class Faults:
    """The switches in the order in which they were set: the first that applies comes first."""

    def __init__(self, busy_code: str) -> None:
        """`busy_code` is how the provider calls too many requests."""
        self._busy_code = busy_code
        self._switches: list[Switch] = []
        self._held: list[_Held] = []
        self._stopping = asyncio.Event()
        self.set_load(Load())

    def set(self, fault: Fault, call: str | None = None, times: int | None = None) -> None:
        self._switches.append(Switch(fault, call, times))

    def set_load(self, load: Load) -> None:
        """Holds for what comes from now on."""
        self._load = load
        self._places = asyncio.Semaphore(load.at_once_max or sys.maxsize)

    def clear(self, call: str | None = None) -> None:
        """Lifts the faults set for one call, or every fault."""
        self._switches = [each for each in self._switches if call is not None and each.call != call]

    def reset(self) -> None:
        """As at the start."""
        self.clear()
        self.set_load(Load())

    @property
    def late_count(self) -> int:
        """How many requests wait to be overtaken."""
        return len(self._held)

    def all(self) -> list[Switch]:
        return list(self._switches)

    def stop(self) -> None:
        """Lets go of the requests that would never be answered."""
        self._stopping.set()
        for held in self._held:
            held.released.set()

    async def answer(
        self,
        request: web.Request,
        calls: Sequence[str],
        answer: Callable[[], Awaitable[web.Response]],
        refuse: Callable[[Refusal], web.Response],
    ) -> web.Response:
        """Answers a request, or what a fault makes of it.

        `calls` are the names that a fault may be set for. By the first of them it is known which
        requests can overtake each other.
        """
        overtaken = [held for held in self._held if held.call == calls[0]]
        fault = self._take(calls)
        held = self._hold(fault, calls[0])
        load, places = self._load, self._places
        if load.refuses_more and places.locked():
            return self._busy(refuse, None)
        async with places:
            if load.milliseconds and await self._stops_within(load.milliseconds):
                return _lost(request)
            if held is not None and not await self._is_let_go(held):
                return _lost(request)
            answered = await self._meet(request, fault, answer, refuse)
        for each in overtaken:
            each.overtake()
        return answered

    async def _meet(
        self,
        request: web.Request,
        fault: Fault | None,
        answer: Callable[[], Awaitable[web.Response]],
        refuse: Callable[[Refusal], web.Response],
    ) -> web.Response:
        match fault:
            case None | Overtaken():
                return await answer()
            case Unavailable(status):
                return web.Response(
                    status=status, text=UNAVAILABLE_PAGE.format(status), content_type="text/html"
                )
            case TooManyRequests(seconds):
                return self._busy(refuse, seconds)
            case Refusal():
                return refuse(fault)
            case Echo(status):
                return refuse(Refusal(request.headers.get(hdrs.AUTHORIZATION, ""), status))
            case Hang():
                await self._stopping.wait()
                return _lost(request)
            case Latency(milliseconds):
                return _lost(request) if await self._stops_within(milliseconds) else await answer()
            case Cut():
                return _lost(request)
            case LostAnswer():
                await answer()
                return _lost(request)
            case _:
                assert_never(fault)

    def _busy(
        self, refuse: Callable[[Refusal], web.Response], retry_after_seconds: int | None
    ) -> web.Response:
        busy = refuse(Refusal(self._busy_code, HTTPStatus.TOO_MANY_REQUESTS))
        if retry_after_seconds is not None:
            busy.headers[hdrs.RETRY_AFTER] = str(retry_after_seconds)
        return busy

    async def _stops_within(self, milliseconds: int) -> bool:
        try:
            async with asyncio.timeout(milliseconds / 1000):
                await self._stopping.wait()
        except TimeoutError:
            return False
        return True

    def _hold(self, fault: Fault | None, call: str) -> "_Held | None":
        if not isinstance(fault, Overtaken):
            return None
        self._held.append(_Held(call, fault))
        return self._held[-1]

    async def _is_let_go(self, held: "_Held") -> bool:
        """Whether it was overtaken or waited long enough; otherwise the simulator stops."""
        await held.wait()
        self._held.remove(held)
        return not self._stopping.is_set()

    def _take(self, calls: Sequence[str]) -> Fault | None:
        """The fault that meets the next request of these names."""
        for switch in self._switches:
            if switch.call is None or switch.call in calls:
                self._use(switch)
                return switch.fault
        return None

    def _use(self, switch: Switch) -> None:
        if switch.times == 1:
            self._switches.remove(switch)
        elif switch.times is not None:
            switch.times -= 1


class _Held:
    """A request that later ones overtake."""

    def __init__(self, call: str, fault: Overtaken) -> None:
        self.call = call
        self.released = asyncio.Event()
        self._later = fault.later
        self._seconds_max = fault.milliseconds_max and fault.milliseconds_max / 1000

    def overtake(self) -> None:
        self._later -= 1
        if self._later == 0:
            self.released.set()

    async def wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._seconds_max):
                await self.released.wait()


def _lost(request: web.Request) -> NoAnswer:
    if request.transport is not None:
        request.transport.abort()
    return NoAnswer()
