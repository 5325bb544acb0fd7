"""How a story is told: something happens, and each answer must be as told."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from dev.demo.organization import Organization
from dev.demo.platform import Platform
from dev.demo.screen import Screen
from dev.demo.sights import Sights
from dev.demo.tollgate import Tollgate
from dev.demo.words import or_refusal, short

DEADLINE_SECONDS = 10.0
POLL_SECONDS = 0.05

PROVIDER_NAMES = {"paypal": "PayPal", "stripe": "Stripe", "twilio": "Twilio"}


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
        # At Stripe, for the steps to come.
        self.stripe_subscription_id = ""
        self.stripe_invoice_id = ""
        self._tollgate = tollgate
        self._screen = screen

    async def happens(self, provider: str, what: str, verb: str, **arguments: Any) -> str:
        """Something happens at a provider, which tells of it; the id of what came of it."""
        told = await self._tollgate.act(provider, verb, **arguments)
        self._screen.show_event(PROVIDER_NAMES[provider], what)
        return str(told)

    async def happens_in_console(self, account_sid: str, status: str) -> None:
        """Somebody changes a subaccount past Tollgate."""
        await self._tollgate.set_twilio_status(account_sid, status)
        what = f"in the console somebody sets {short(account_sid)} to {status}"
        self._screen.show_event(PROVIDER_NAMES["twilio"], what)

    async def deliver_so_often(self, provider: str, times: int) -> None:
        await self._tollgate.deliver_so_often(provider, times)

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
