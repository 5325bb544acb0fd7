"""Two simulated providers, and the gateway and the wallet as they are composed for real."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from dev.simulators.paypal.certificates import SigningChain, make_chain
from services.billing_gateway.paypal.environment import ADDRESSES, Environment
from tests.support.stack import Stack
from tests.support.two_providers import TwoProviders


@pytest.fixture(scope="session")
def chain() -> SigningChain:
    """Return the chain that PayPal signs with, made once: keys take their time."""
    return make_chain(ADDRESSES[Environment.SANDBOX].certificate_name, datetime.now(UTC))


@pytest.fixture
async def providers(stopped_stack: Stack, chain: SigningChain) -> AsyncIterator[TwoProviders]:
    """Both providers, who tell what a test lets them tell."""
    providers = TwoProviders(stopped_stack, chain)
    await providers.start()
    yield providers
    await providers.stop()


@pytest.fixture
async def believing_stack(
    stopped_stack: Stack, stack_services: tuple[str, ...], providers: TwoProviders
) -> Stack:
    """A gateway that believes and asks both, and the services beside it."""
    assert providers.paypal.base_url
    await stopped_stack.start(*stack_services)
    return stopped_stack
