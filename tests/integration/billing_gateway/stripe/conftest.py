"""A simulated Stripe, and the vendor's room of the gateway that asks it."""

from collections.abc import AsyncIterator

import pytest

from dev.simulators.stripe import StripeSimulator
from services.billing_gateway.stripe.provider import StripeProvider
from tests.integration.billing_gateway.stripe.asking import API_KEY, provider_of

NOBODY = "http://127.0.0.1:9/webhooks/stripe"


@pytest.fixture
async def simulator() -> AsyncIterator[StripeSimulator]:
    """Stripe, whose events nobody hears."""
    simulator = StripeSimulator(API_KEY, "whsec_1", NOBODY)
    simulator.deliveries.hold()
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
async def provider(simulator: StripeSimulator) -> AsyncIterator[StripeProvider]:
    """Asks the simulator."""
    provider = provider_of(simulator.base_url)
    yield provider
    await provider.close()
