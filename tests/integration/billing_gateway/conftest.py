"""A gateway and the wallet that it tells, for each test."""

import pytest

from tests.support.stack import Stack


@pytest.fixture
async def stack(stopped_stack: Stack) -> Stack:
    """The gateway and the wallet; the other services are down, which must not matter."""
    await stopped_stack.start("wallet", "billing_gateway")
    return stopped_stack
