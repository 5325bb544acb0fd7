"""What can go wrong with Twilio, and the switches that make it so."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass


@dataclass(frozen=True)
class Unavailable:
    """503 with a page of HTML, as from a proxy in front of Twilio."""

    kind: Literal["unavailable"] = "unavailable"


@dataclass(frozen=True)
class TooManyRequests:
    """429 with code 20429, with a Retry-After header if that is given."""

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
    """An error of Twilio's with any code."""

    code: PositiveInt
    http_status: Annotated[int, Field(ge=400, le=599)]
    kind: Literal["refusal"] = "refusal"


Fault = Unavailable | TooManyRequests | Hang | Latency | LostAnswer | Refusal


@dataclass
class Switch:
    """A fault that is on: for one account or all (None), so many times or until lifted (None)."""

    fault: Annotated[Fault, Field(discriminator="kind")]
    sid: str | None = None
    times: PositiveInt | None = None


class Faults:
    """The switches in the order in which they were set: the first that applies comes first."""

    def __init__(self) -> None:
        self._switches: list[Switch] = []

    def set(self, switch: Switch) -> None:
        self._switches.append(switch)

    def clear(self, sid: str | None = None) -> None:
        """Lifts the faults set for one account, or every fault."""
        self._switches = [each for each in self._switches if sid is not None and each.sid != sid]

    def all(self) -> list[Switch]:
        return list(self._switches)

    def take(self, sid: str) -> Fault | None:
        """The fault that meets the next request for this account."""
        for switch in self._switches:
            if switch.sid in (None, sid):
                self._use(switch)
                return switch.fault
        return None

    def _use(self, switch: Switch) -> None:
        if switch.times == 1:
            self._switches.remove(switch)
        elif switch.times is not None:
            switch.times -= 1
