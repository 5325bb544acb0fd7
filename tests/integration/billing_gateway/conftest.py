"""A gateway and the wallet that it tells, for each test."""

import pytest

from services.billing_gateway.domain.values import Provider
from tests.support.fake_provider import FakeProvider
from tests.support.stack import Stack


@pytest.fixture
def stack_services() -> tuple[str, ...]:
    """The other services are down, which must not matter."""
    return "wallet", "billing_gateway"


@pytest.fixture
async def stack(stopped_stack: Stack, stack_services: tuple[str, ...]) -> Stack:
    """The gateway and the wallet."""
    await stopped_stack.start(*stack_services)
    return stopped_stack


@pytest.fixture
def paypal() -> FakeProvider:
    """A PayPal that does what a test says; what must end later, the gateway ends itself."""
    return FakeProvider(Provider.PAYPAL, cancels_at_period_end=False)


@pytest.fixture
def stripe() -> FakeProvider:
    """A Stripe that does what a test says."""
    return FakeProvider(Provider.STRIPE)


@pytest.fixture
async def fake_stack(
    stopped_stack: Stack,
    stack_services: tuple[str, ...],
    paypal: FakeProvider,
    stripe: FakeProvider,
) -> Stack:
    """A gateway whose providers are fakes, with what it needs besides."""
    stopped_stack.gateway_providers = {each.name: each for each in (paypal, stripe)}
    await stopped_stack.start(*stack_services)
    return stopped_stack


@pytest.fixture
async def paypal_stack(stopped_stack: Stack, paypal: FakeProvider) -> Stack:
    """The gateway, with that PayPal for its only provider, and the wallet."""
    stopped_stack.gateway_providers = {Provider.PAYPAL: paypal}
    await stopped_stack.start("wallet", "billing_gateway")
    return stopped_stack
