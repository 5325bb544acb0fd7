"""What a broken state is, for a test of the section that is about it."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.support.runbook.site import Customer, Site

Act: TypeAlias = Callable[[], Awaitable[None]]


async def nothing() -> None:
    """Nobody does anything."""


@dataclass
class Situation:
    """A state that has been made, and what goes on in it beside what the operator does."""

    # What stands for its ids in the runbook, beside the customer's own.
    words: Mapping[str, str] = field(default_factory=dict)
    # What somebody else does before the block of that number: Twilio lifts what it has set.
    before: Mapping[int, Act] = field(default_factory=dict)
    # What somebody else does before the console's next step.
    before_step: Act = nothing
    # What ends it where the operator's part is to know: the customer pays, the service is started.
    ends_by: Act = nothing
    # What brings the customer back to where it was, once it is over.
    tidy: Act = nothing


Make: TypeAlias = Callable[[Site, Customer], AbstractAsyncContextManager[Situation]]
# What is left of a state, by the codes of findings.
Left: TypeAlias = Callable[[Site, Customer], Awaitable[list[str]]]


async def anything(site: Site, customer: Customer) -> list[str]:
    """Return what keeps the customer from sending, or will."""
    answer = await site.diagnose(customer.organization_id)
    found = [each.code for each in answer.findings]
    return found if answer.can_send else [*found, "CANNOT_SEND"]


def only(code: str) -> Left:
    """Return what looks for one finding, whatever else there is."""

    async def left(site: Site, customer: Customer) -> list[str]:
        return [each for each in await anything(site, customer) if each == code]

    return left


@dataclass(frozen=True)
class State:
    """A broken state, what the console says of it, and how it is known to be over."""

    make: Make
    # The first finding of the customer's diagnosis.
    finding: str = ""
    # What the next step of that finding prints, if it is a look; without, it heals.
    shows: str = ""
    # The section's commands only look as well.
    looks: bool = False
    # A finding of the overview.
    alert: str = ""
    # It counts minutes, or is everybody's: then it goes on for a while.
    alert_lasts: bool = False
    left: Left = anything
    # There are two of it: the console's step ends the one, the section's commands the other.
    is_double: bool = False
    # The customer sends before; otherwise it has but subscribed, and nobody knows.
    sends: bool = True

    @property
    def step_heals(self) -> bool:
        """Tell whether nothing is left of it after the console's next step."""
        return not self.shows and not self.is_double
