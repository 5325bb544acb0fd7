"""The whole of Tollgate for each test."""

import pytest

from tests.support.stack import Stack


@pytest.fixture
async def stack(stopped_stack: Stack) -> Stack:
    """All services."""
    await stopped_stack.start()
    return stopped_stack
