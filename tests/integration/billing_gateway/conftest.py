"""A gateway and the wallet that it tells, for each test."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from tests.conftest import MakeDatabase
from tests.support.stack import TWILIO_SID, TWILIO_TOKEN, Stack

from dev.twilio_simulator.simulator import TwilioSimulator


@pytest.fixture
async def stack(make_database: MakeDatabase) -> AsyncIterator[Stack]:
    """The gateway and the wallet; the other services are down, which must not matter."""
    names = ("wallet", "campaign", "telephony", "billing_gateway")
    databases = {name: await make_database(name) for name in names}
    twilio = TwilioSimulator(TWILIO_SID, TWILIO_TOKEN)
    async with aiohttp.ClientSession() as http:
        stack = Stack(databases, twilio, http)
        await stack.start("wallet", "billing_gateway")
        yield stack
        await stack.close()
