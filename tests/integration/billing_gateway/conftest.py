"""A gateway and the wallet that it tells, for each test."""

import pytest

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
