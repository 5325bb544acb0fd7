"""The gateway's provider, and what it is asked for."""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from dev.simulators.paypal import PayPalSimulator
from dev.simulators.paypal.trust import simulator_trust
from services.billing_gateway.domain.observations import Claim
from services.billing_gateway.paypal.environment import Environment
from services.billing_gateway.paypal.oauth import Credentials
from services.billing_gateway.paypal.provider import PayPalProvider
from services.billing_gateway.ports import SubscriptionOrder, TopUpOrder
from services.billing_gateway.provider_calls import ProviderCalls

TIMEOUT_SECONDS = 0.5
CREDENTIALS = Credentials("client-1", "secret-canary-1")
WEBHOOK_ID = "1JE4291016473214C"
INTENT, PROOF = "1" * 32, "f" * 32
CLAIM = Claim("org-1", INTENT, PROOF)
TOP_UP = TopUpOrder(
    INTENT, CLAIM, 25_000_000, "USD", "https://shop.example/back", "https://shop.example/no"
)
SUBSCRIBE = SubscriptionOrder(
    INTENT, CLAIM, "P-1", "https://shop.example/back", "https://shop.example/no"
)


class NothingRemembered:
    def recall(self, url: str) -> bytes | None:
        return None

    def remember(self, url: str, pem: bytes) -> None:
        """As after a restart."""


def open_provider(
    paypal: PayPalSimulator,
    registry: CollectorRegistry,
    *,
    credentials: Credentials = CREDENTIALS,
    api_base: str | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> PayPalProvider:
    return PayPalProvider(
        environment=Environment.SANDBOX,
        webhook_ids=(WEBHOOK_ID,),
        credentials=credentials,
        api_base=api_base or paypal.base_url,
        timeout_seconds=timeout_seconds,
        trust=simulator_trust(paypal.base_url, paypal.root_certificate_pem),
        certificates=NothingRemembered(),
        calls=ProviderCalls(registry),
    )


@dataclass(frozen=True)
class Calls:
    """What PayPal was asked, without the token."""

    paypal: PayPalSimulator

    def of(self, call: str) -> list[str]:
        """Return the request ids of a call, oldest first."""
        return [each.request_id for each in self.paypal.requests if each.call == call]
