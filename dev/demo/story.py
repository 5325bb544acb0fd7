"""How a story is told: something happens, and each answer must be as told."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from dev.demo.organization import Organization
from dev.demo.platform import Platform
from dev.demo.screen import Screen
from dev.demo.sights import Sights
from dev.demo.tollgate import Tollgate
from dev.demo.words import or_refusal
from dev.stripe_simulator import JsonObject

DEADLINE_SECONDS = 10.0
POLL_SECONDS = 0.05


class NotAsToldError(Exception):
    """Something was seen that the story does not tell."""

    def __init__(self, service: str, what: str, told: str, seen: str) -> None:
        super().__init__(f"{what}\nexpected:\n{told}\nseen:\n{seen}")
        self.service = service


class Story:
    """One organization, what it does, and how it must stand then."""

    def __init__(self, tollgate: Tollgate, organization: Organization, screen: Screen) -> None:
        self.organization = organization
        self.platform = Platform(tollgate, organization)
        self.sights = Sights(tollgate, organization)
        self._tollgate = tollgate
        self._screen = screen
        self._stripe_time = datetime.now(UTC) - timedelta(hours=1)

    def next_stripe_time(self) -> datetime:
        """A minute later each time: Stripe's own clock has whole seconds, the story is faster."""
        self._stripe_time += timedelta(minutes=1)
        return self._stripe_time

    async def stripe_sends(self, stripe_event: JsonObject) -> None:
        """Stripe delivers an event, which must be taken."""
        what = f"Stripe sends {stripe_event['type']}"
        await self.asks("billing_gateway", what, self._tollgate.deliver(stripe_event), "HTTP 200")

    async def asks(self, service: str, what: str, answer: Awaitable[str], told: str) -> None:
        """Somebody asks for something and must be answered so at once."""
        seen = await or_refusal(answer)
        if seen != told:
            raise NotAsToldError(service, what, told, seen)
        self._screen.show_answer(service, what, seen)

    async def sees(self, service: str, look: Callable[[], Awaitable[str]], told: str) -> None:
        """Things must come to stand so before the deadline."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (seen := await or_refusal(look())) != told:
            if time.monotonic() > deadline:
                what = f"does not come to stand so within {DEADLINE_SECONDS:.0f} s"
                raise NotAsToldError(service, what, told, seen)
            await asyncio.sleep(POLL_SECONDS)
        self._screen.show_sight(service, seen)
