"""What the gateway needs of a payment provider, and of the wallet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.billing_gateway.domain.observations import Claim, Observation, Translation
from services.billing_gateway.domain.values import Provider


class DeliveryRefusedError(Exception):
    """The delivery was not signed by the provider, or too long ago. The message may be logged."""


class SignatureMismatchError(DeliveryRefusedError):
    """None of our secrets or webhooks has this signature: it is no provider's, or ours are old."""


class CannotVerifyError(Exception):
    """Whether the provider signed it cannot be told now. The message may be logged."""


class ProviderError(Exception):
    """A provider was asked in vain. The message may be logged and shown; it holds no secret."""


class ProviderUnavailableError(ProviderError):
    """No usable answer: whether it did what it was asked is open. It passes by itself."""


class ProviderRefusedError(ProviderError):
    """The provider said no and did nothing; or there are no credentials to ask it with."""


class UnknownToProviderError(ProviderRefusedError):
    """The provider has no such object."""


class AmountRefusedError(ProviderRefusedError):
    """The provider does not take this amount or currency. Raised before it is asked."""


class Headers(Protocol):
    """The headers of a delivery; one name may stand several times."""

    def getall(self, name: str, default: Sequence[str], /) -> Sequence[str]:
        """Return every value of a header."""
        ...


@dataclass(frozen=True, slots=True)
class Transmission:
    """A delivery whose signature other bodies can be made to fit: it is to stand for the first."""

    transmission_id: str
    body_sha256: bytes
    # Past it the provider's own rules refuse it.
    counts_until: datetime


@dataclass(frozen=True, slots=True)
class EventIdentity:
    """An event's id and type at its provider."""

    event_id: str
    event_type: str


@dataclass(frozen=True, slots=True)
class TopUpOrder:
    """A one-off payment to be made. The intent is the idempotency key: asked twice, made once."""

    intent_id: str
    claim: Claim
    amount_micros: int
    currency_code: str
    return_url: str
    cancel_url: str


@dataclass(frozen=True, slots=True)
class SubscriptionOrder:
    """A subscription to be made. The intent is the idempotency key: asked twice, made once."""

    intent_id: str
    claim: Claim
    plan_id: str
    return_url: str
    cancel_url: str


@dataclass(frozen=True, slots=True)
class OpenCheckout:
    """What the provider made, and where its customer goes."""

    checkout_id: str
    url: str
    # Where the provider has one already.
    subscription_id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider said when it was asked, and its own time then."""

    observations: tuple[Observation, ...]
    provider_time: datetime


class PaymentProvider(Protocol):
    """One provider: a folder that knows it and nothing else.

    What asks the provider ends within a time limit, in an answer or in a ProviderError.
    """

    @property
    def name(self) -> Provider:
        """Which provider it is."""
        ...

    @property
    def can_be_asked(self) -> bool:
        """Whether the settings have credentials for its API."""
        ...

    async def verify(self, headers: Headers, body: bytes, now: datetime) -> Transmission | None:
        """Return if the provider signed the body; None, if it must have been these very bytes.

        Raises DeliveryRefusedError, or CannotVerifyError: send it again.
        """
        ...

    def identify(self, body: bytes) -> EventIdentity | None:
        """Return the event's id and type; None if the body cannot be read."""
        ...

    def translate(self, body: bytes, receive_time: datetime) -> Translation:
        """Return what the event says. Pure and total: no input makes it raise."""
        ...

    async def create_top_up(self, order: TopUpOrder) -> OpenCheckout:
        """Make a checkout for a one-off payment."""
        ...

    async def complete_top_up(self, checkout_id: str, key: str) -> Answer:
        """Take the money of a checkout that its customer approved; once, whoever asks how often.

        The answer has the checkout's state: APPROVED, if it must be approved anew.
        """
        ...

    async def create_subscription(self, order: SubscriptionOrder) -> OpenCheckout:
        """Make a subscription, or a checkout that will make one."""
        ...

    async def fetch_checkout(self, checkout_id: str) -> Answer:
        """Return how a checkout of either kind stands, and what was paid by it."""
        ...

    async def cancel_subscription(
        self, subscription_id: str, *, at_period_end: bool, note: str
    ) -> None:
        """End a subscription. Raises ProviderRefusedError if it has ended already."""
        ...

    async def reactivate_subscription(self, subscription_id: str, *, note: str) -> None:
        """Let a suspended subscription run again."""
        ...

    async def fetch_subscription(self, subscription_id: str) -> Answer:
        """Return how a subscription stands now."""
        ...

    async def resolve(self, object_id: str) -> Answer:
        """Return to which payment an object belongs, and never that one is paid."""
        ...

    @property
    def cancels_at_period_end(self) -> bool:
        """Whether the provider itself can end a subscription later; if not, the gateway waits."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


# The name under which payments are announced to the wallet.
WALLET = "wallet"


class WalletOpener(Protocol):
    """The wallet, as far as the gateway needs it."""

    async def create_wallet(self, organization_id: str, currency_code: str) -> None:
        """Open the organization's wallet if there is none. Raises DomainError."""
        ...

    async def find_currency(self, organization_id: str) -> str | None:
        """Return the wallet's currency; None without a wallet. Raises DomainError."""
        ...
