"""Both providers, simulated, and the gateway that hears and asks them, composed by its settings."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from dev.simulators.deliveries import Event
from dev.simulators.paypal import PayPalSimulator
from dev.simulators.paypal.certificates import SigningChain
from dev.simulators.paypal.signing import Signer
from dev.simulators.paypal.trust import simulator_trust
from dev.simulators.stripe import StripeSimulator
from services.billing_gateway.domain.values import Provider
from tests.support.stack import Stack

PAYPAL_CLIENT_ID = "client-of-a-test"
PAYPAL_CLIENT_SECRET = "canary-paypal-client-secret"
PAYPAL_WEBHOOK_ID = "1JE4291016473214C"
STRIPE_API_KEY = "sk_test_canary_api_key"
STRIPE_WEBHOOK_SECRETS = ("whsec_canary_new", "whsec_canary_old")
CLAIM_KEY = "canary-claim-key-long-enough-to-be-one"
PLAN, PLAN_PRICE = "P-1", ("12.50", "USD")


@dataclass(frozen=True)
class Told:
    """One event, and who tells it."""

    provider: Provider
    event: Event


class TwoProviders:
    """PayPal and Stripe, whose events are told when a test says so, in the order that it likes."""

    def __init__(self, stack: Stack, chain: SigningChain) -> None:
        base = f"http://{stack.addresses['http']}/webhooks"
        self.paypal = PayPalSimulator(
            client_id=PAYPAL_CLIENT_ID,
            client_secret=PAYPAL_CLIENT_SECRET,
            webhook_id=PAYPAL_WEBHOOK_ID,
            webhook_url=f"{base}/paypal",
            chain=chain,
            prices={PLAN: PLAN_PRICE},
        )
        self.stripe = StripeSimulator(STRIPE_API_KEY, STRIPE_WEBHOOK_SECRETS[0], f"{base}/stripe")
        self._signer = Signer(chain, PAYPAL_WEBHOOK_ID)
        self._stack = stack

    async def start(self) -> None:
        """Start both, holding back what they tell, and let the gateway be made for them."""
        for simulator in (self.paypal, self.stripe):
            simulator.deliveries.hold()
            await simulator.start()
        root = self.paypal.root_certificate_pem
        self._stack.paypal_trust = lambda: simulator_trust(self.paypal.base_url, root)
        self._stack.gateway_settings = self._settings()

    async def stop(self) -> None:
        """Stop both."""
        await self.paypal.stop()
        await self.stripe.stop()

    def set_time(self, moment: datetime) -> None:
        """Let it be that time at both."""
        self.paypal.clock.set(moment)
        self.stripe.clock.set(moment)

    def advance(self, duration: timedelta) -> None:
        """Let time go by at both."""
        self.paypal.clock.advance(duration)
        self.stripe.clock.advance(duration)

    def take_told(self) -> list[Told]:
        """Return what has happened since the last time."""
        told = [
            *(Told(Provider.PAYPAL, event) for event in self.paypal.deliveries.held),
            *(Told(Provider.STRIPE, event) for event in self.stripe.deliveries.held),
        ]
        self.paypal.deliveries.held.clear()
        self.stripe.deliveries.held.clear()
        return told

    async def deliver(self, told: Told) -> int:
        """Deliver an event once; return the answer's status."""
        return await self.post(told.provider, told.event.body)

    async def post(self, provider: Provider, body: bytes) -> int:
        """Deliver any bytes, rightly signed; return the answer's status."""
        return await self._stack.post_to(provider, body, self.sign(provider, body).items())

    def sign(self, provider: Provider, body: bytes) -> Mapping[str, str]:
        """Return the headers of a delivery."""
        if provider is Provider.PAYPAL:
            return self._signer.headers(body, datetime.now(UTC))
        # The library signs text only; some bodies here are none.
        moment = int(time.time())
        signed = f"{moment}.".encode() + body
        mac = hmac.new(STRIPE_WEBHOOK_SECRETS[0].encode(), signed, hashlib.sha256)
        return {"Stripe-Signature": f"t={moment},v1={mac.hexdigest()}"}

    def _settings(self) -> dict[str, Any]:
        return {
            "trust_claimed_organizations": False,
            "claim_keys": (SecretStr(CLAIM_KEY),),
            "subscription_observers": {
                name: self._stack.addresses[name]
                for name in ("wallet", "campaign", "telephony")
                if name in self._stack.databases
            },
            "stripe_webhook_secrets": tuple(map(SecretStr, STRIPE_WEBHOOK_SECRETS)),
            "stripe_api_key": SecretStr(STRIPE_API_KEY),
            "stripe_api_base": self.stripe.base_url,
            "paypal_environment": "sandbox",
            "paypal_client_id": PAYPAL_CLIENT_ID,
            "paypal_client_secret": SecretStr(PAYPAL_CLIENT_SECRET),
            "paypal_webhook_ids": (PAYPAL_WEBHOOK_ID,),
            "paypal_api_base": self.paypal.base_url,
        }
