"""A simulated PayPal, and the gateway's provider that asks it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from dev.simulators.paypal import PayPalSimulator
from dev.simulators.paypal.certificates import SigningChain, make_chain
from services.billing_gateway.paypal.environment import ADDRESSES, Environment
from services.billing_gateway.paypal.provider import PayPalProvider
from tests.integration.billing_gateway.paypal.asking import CREDENTIALS, WEBHOOK_ID, open_provider
from tests.integration.billing_gateway.paypal.receiving import Receiver


@pytest.fixture(scope="session")
def chain() -> SigningChain:
    """Return the chain that PayPal signs with, made once: keys take their time."""
    return make_chain(ADDRESSES[Environment.SANDBOX].certificate_name, datetime.now(UTC))


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Yield who takes the webhooks."""
    receiver = Receiver()
    await receiver.start()
    yield receiver
    await receiver.stop()


@pytest.fixture
async def paypal(receiver: Receiver, chain: SigningChain) -> AsyncIterator[PayPalSimulator]:
    """Yield PayPal."""
    paypal = PayPalSimulator(
        client_id=CREDENTIALS.client_id,
        client_secret=CREDENTIALS.client_secret,
        webhook_id=WEBHOOK_ID,
        webhook_url=receiver.url,
        chain=chain,
        prices={"P-1": ("12.50", "EUR")},
        retry_seconds=0.01,
    )
    await paypal.start()
    yield paypal
    await paypal.stop()


@pytest.fixture
async def provider(paypal: PayPalSimulator) -> AsyncIterator[PayPalProvider]:
    """Yield the provider under test."""
    provider = open_provider(paypal, CollectorRegistry())
    yield provider
    await provider.close()
