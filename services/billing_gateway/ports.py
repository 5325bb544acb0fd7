"""What the gateway needs of a payment provider, and of the wallet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.billing_gateway.domain.observations import Translation
from services.billing_gateway.domain.values import Provider


class DeliveryRefusedError(Exception):
    """The delivery was not signed by the provider, or too long ago. The message may be logged."""


class Headers(Protocol):
    """The headers of a delivery; one name may stand several times."""

    def getall(self, name: str, default: Sequence[str], /) -> Sequence[str]:
        """Return every value of a header."""
        ...


@dataclass(frozen=True, slots=True)
class EventIdentity:
    """An event's id and type at its provider."""

    event_id: str
    event_type: str


class PaymentProvider(Protocol):
    """One provider: a folder that knows it and nothing else."""

    @property
    def name(self) -> Provider:
        """Which provider it is."""
        ...

    async def verify(self, headers: Headers, body: bytes, now: datetime) -> None:
        """Raise DeliveryRefusedError unless the provider signed these very bytes lately."""
        ...

    def identify(self, body: bytes) -> EventIdentity | None:
        """Return the event's id and type; None if the body cannot be read."""
        ...

    def translate(self, body: bytes, receive_time: datetime) -> Translation:
        """Return what the event says. Pure and total: no input makes it raise."""
        ...


# The name under which payments are announced to the wallet.
WALLET = "wallet"


class WalletOpener(Protocol):
    """The wallet, as far as linking needs it."""

    async def create_wallet(self, organization_id: str, currency_code: str) -> None:
        """Open the organization's wallet if there is none. Raises DomainError."""
        ...
