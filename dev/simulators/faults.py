"""What can go wrong when a provider is asked, and the switches that make it so."""

import asyncio
from collections.abc import Awaitable, Callable
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


Fault = Unavailable | TooManyRequests | Hang | Latency | LostAnswer | Refusal | Echo


@dataclass
class Switch:
    """A fault that is on: for one call or all (None), so many times or until lifted (None)."""

    fault: Annotated[Fault, Field(discriminator="kind")]
    call: str | None = None
    times: PositiveInt | None = None


class Faults:
    """The switches in the order in which they were set: the first that applies comes first."""

    def __init__(self, busy_code: str) -> None:
        """`busy_code` is how the provider calls too many requests."""
        self._busy_code = busy_code
        self._switches: list[Switch] = []
        self._stopping = asyncio.Event()

    def set(self, fault: Fault, call: str | None = None, times: int | None = None) -> None:
        self._switches.append(Switch(fault, call, times))

    def clear(self, call: str | None = None) -> None:
        """Lifts the faults set for one call, or every fault."""
        self._switches = [each for each in self._switches if call is not None and each.call != call]

    def all(self) -> list[Switch]:
        return list(self._switches)

    def take(self, call: str) -> Fault | None:
        """The fault that meets the next request of this call."""
        for switch in self._switches:
            if switch.call in (None, call):
                self._use(switch)
                return switch.fault
        return None

    def stop(self) -> None:
        """Lets go of the requests that would never be answered."""
        self._stopping.set()

    async def answer(
        self,
        request: web.Request,
        call: str,
        answer: Callable[[], Awaitable[web.Response]],
        refuse: Callable[[Refusal], web.Response],
    ) -> web.Response:
        """Answers a request, or what a fault makes of it."""
        fault = self.take(call)
        match fault:
            case None:
                return await answer()
            case Unavailable(status):
                return web.Response(
                    status=status, text=UNAVAILABLE_PAGE.format(status), content_type="text/html"
                )
            case TooManyRequests(seconds):
                busy = refuse(Refusal(self._busy_code, HTTPStatus.TOO_MANY_REQUESTS))
                if seconds is not None:
                    busy.headers[hdrs.RETRY_AFTER] = str(seconds)
                return busy
            case Refusal():
                return refuse(fault)
            case Echo(status):
                return refuse(Refusal(request.headers.get(hdrs.AUTHORIZATION, ""), status))
            case Hang():
                await self._stopping.wait()
                return _lost(request)
            case Latency(milliseconds):
                return _lost(request) if await self._stops_within(milliseconds) else await answer()
            case LostAnswer():
                await answer()
                return _lost(request)
            case _:
                assert_never(fault)

    async def _stops_within(self, milliseconds: int) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), milliseconds / 1000)
        except TimeoutError:
            return False
        return True

    def _use(self, switch: Switch) -> None:
        if switch.times == 1:
            self._switches.remove(switch)
        elif switch.times is not None:
            switch.times -= 1


def _lost(request: web.Request) -> web.Response:
    """Closes the connection; the response has nobody left to go to."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
