"""Both services as processes that can be killed, their doors, and the simulated Twilio."""

import asyncio
from contextlib import AsyncExitStack

import grpc

from dev.simulators.twilio import TwilioSimulator
from tests.integration.campaign.steps import CampaignSteps
from tests.integration.system.pausing_model.rules import (
    DEBT_TOLERANCE_MICROS,
    SUSPEND_DEPLETED_AFTER,
)
from tests.integration.telephony.steps import TelephonySteps
from tests.support.databases import ServiceDatabase
from tests.support.level_steps import LevelSteps
from tests.support.processes import ServiceProcess
from tests.support.services import free_address
from tests.support.stack import TWILIO_SID, TWILIO_TOKEN

CAMPAIGN, TELEPHONY = NAMES = ("campaign", "telephony")
RECONNECT_SOON = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
]
# Late is later than the time-out, but sooner than the look that follows a call without an answer.
LATE_MILLISECONDS_MAX = 700
SLOW_MILLISECONDS = 150
TIMINGS = {
    "TELEPHONY_TWILIO_TIMEOUT_SECONDS": "0.4",
    "TELEPHONY_TWILIO_RECHECK_SECONDS": "0.8",
    "TELEPHONY_TWILIO_BACK_OFF_MAX_SECONDS": "0.1",
    "TELEPHONY_TWILIO_REFUSED_BACK_OFF_MAX_SECONDS": "0.2",
}
POLICIES = {
    "TELEPHONY_DEBT_TOLERANCE_MICROS": str(DEBT_TOLERANCE_MICROS),
    "TELEPHONY_SUSPEND_DEPLETED_AFTER_SECONDS": str(SUSPEND_DEPLETED_AFTER.total_seconds()),
}


class Site:
    """What outlives an example."""

    def __init__(self, databases: dict[str, ServiceDatabase], twilio: TwilioSimulator) -> None:
        self.twilio = twilio
        addresses = {name: free_address() for name in NAMES}
        urls = {f"{name.upper()}_DATABASE_URL": databases[name].url for name in NAMES}
        settings = {
            "TWILIO_ACCOUNT_SID": TWILIO_SID,
            "TWILIO_AUTH_TOKEN": TWILIO_TOKEN,
            "TWILIO_API_BASE": twilio.base_url,
            **TIMINGS,
            **POLICIES,
            **urls,
        }
        self._processes = {name: ServiceProcess(name, addresses[name], settings) for name in NAMES}
        self._channels = {
            name: grpc.aio.insecure_channel(addresses[name], RECONNECT_SOON) for name in NAMES
        }
        self._running: dict[str, AsyncExitStack] = {}
        self._turns = {name: asyncio.Lock() for name in NAMES}
        self.campaign = CampaignSteps(self._channels[CAMPAIGN])
        self.telephony = TelephonySteps(self._channels[TELEPHONY], twilio)
        self.observers: dict[str, LevelSteps] = {
            CAMPAIGN: self.campaign,
            TELEPHONY: self.telephony,
        }

    async def start(self, name: str) -> None:
        """Start a service, unless it runs."""
        async with self._turns[name]:
            if name not in self._running:
                running = AsyncExitStack()
                await running.enter_async_context(self._processes[name].running())
                self._running[name] = running

    async def kill(self, name: str) -> None:
        """Kill a service, if it runs, with no time to say goodbye."""
        async with self._turns[name]:
            if name in self._running:
                await self._running.pop(name).aclose()

    async def close(self) -> None:
        """Kill both."""
        for name in NAMES:
            await self.kill(name)
            await self._channels[name].close()
