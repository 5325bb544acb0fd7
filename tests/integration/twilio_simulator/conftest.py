"""A simulated Twilio of its own for each test, seen through Twilio's own library."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import pytest
from twilio.rest import Client

from dev.simulators.clock import Clock
from dev.simulators.twilio import TwilioSimulator
from tests.integration.twilio_simulator.steps import (
    PARENT,
    TOKEN,
    TOO_LATE_SECONDS,
    CheckedHttpClient,
    client_of,
)


class ManualClock(Clock):
    """Stands still."""

    def __init__(self) -> None:
        super().__init__()
        self.time = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> ManualClock:
    """Twilio's time."""
    return ManualClock()


@pytest.fixture
async def simulator(clock: ManualClock) -> AsyncIterator[TwilioSimulator]:
    """It runs."""
    simulator = TwilioSimulator(PARENT, TOKEN, clock=clock)
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
async def twilio(simulator: TwilioSimulator) -> AsyncIterator[Client]:
    """The library, with the parent's credentials."""
    async with CheckedHttpClient(timeout=TOO_LATE_SECONDS) as http_client:
        yield client_of(simulator.base_url, http_client)


@pytest.fixture
async def web(simulator: TwilioSimulator) -> AsyncIterator[aiohttp.ClientSession]:
    """Whoever asks without the library, with the parent's credentials."""
    authorization = {"Authorization": aiohttp.encode_basic_auth(PARENT, TOKEN)}
    async with aiohttp.ClientSession(simulator.base_url, headers=authorization) as session:
        yield session
