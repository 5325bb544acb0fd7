"""One organization that a story is about, and what it has at the providers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from tests.support.stack import Stack
from tests.support.two_providers import Told, TwoProviders
from tollgate.billing_gateway.v1 import provider_pb2

URLS = {"return_url": "https://example.com/done", "cancel_url": "https://example.com/back"}


@dataclass
class AtOne:
    """What it has at one provider, the newest last."""

    # Captures and sales, or payment intents.
    payments: list[str] = field(default_factory=list)
    # Those whose money is still to come.
    awaited: list[str] = field(default_factory=list)
    refunds: list[str] = field(default_factory=list)
    disputes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    subscriptions: list[str] = field(default_factory=list)
    unpaid_invoices: list[str] = field(default_factory=list)


@dataclass
class Organization:
    """One organization, by what it did so far."""

    organization_id: str
    stack: Stack
    providers: TwoProviders
    paypal: AtOne = field(default_factory=AtOne)
    stripe: AtOne = field(default_factory=AtOne)
    # Payments that are its own, of which nothing but a person can say so.
    unclaimed: list[tuple[provider_pb2.Provider.ValueType, str]] = field(default_factory=list)
    # An order whose money the gateway itself takes, when it hears of it.
    left_order: str = ""
    wish_count: int = 0
    begin: datetime | None = None

    def next_reference(self) -> str:
        """Return a reference that no checkout has yet."""
        self.wish_count += 1
        return f"wish-{self.wish_count}"

    def was_captured_by_the_gateway(self, told: Told) -> bool:
        """Tell whether an event is of what the gateway did, for which a story has no place."""
        of_capture = told.event.event_type.startswith("PAYMENT.CAPTURE.")
        names_it = bool(self.left_order) and self.left_order.encode() in told.event.body
        return of_capture and names_it


Verb = Callable[[Organization], Awaitable[None]]
