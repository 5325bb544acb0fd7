"""The telephony service as a process all of whose ways lead through the wires."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from dev.simulators.twilio import TwilioSimulator
from tests.support.crashing.process import CrashingProcess, database_url_for
from tests.support.crashing.wires import Wires
from tests.support.databases import ServiceDatabase
from tests.support.services import ANY_PORT, free_address
from tests.support.stack import TWILIO_SID, TWILIO_TOKEN
from tests.support.waiting import eventually

# Of a busy machine.
READY_SECONDS = 60.0
# To look for work that nobody has told of is a step like any other.
POLL_SECONDS, POLL_SECONDS_WOKEN_ONLY = "0.05", "5"
SETTINGS = {
    # By one connection, steps come in the same order each time.
    "TELEPHONY_DATABASE_POOL_SIZE": "1",
    "TELEPHONY_METRICS_ADDRESS": ANY_PORT,
    "TELEPHONY_TWILIO_RECHECK_SECONDS": "0.5",
    "TELEPHONY_TWILIO_BACK_OFF_MAX_SECONDS": "0.1",
    "TELEPHONY_END_CALLS": "false",
    "TELEPHONY_CANCEL_SCHEDULED_MESSAGES": "false",
    "TWILIO_ACCOUNT_SID": TWILIO_SID,
    "TWILIO_AUTH_TOKEN": TWILIO_TOKEN,
}
# With the service dead, as much time goes by as leases last.
LET_LEASES_END = """
UPDATE provisions SET due_time = now(), lease_end_time = now() WHERE lease_end_time IS NOT NULL;
UPDATE subaccounts
SET lease_end_time = now(), next_attempt_time = CASE
    WHEN next_attempt_time = lease_end_time THEN now() ELSE next_attempt_time
END
WHERE lease_end_time IS NOT NULL;
"""


@dataclass
class TelephonyProcess(CrashingProcess):
    """One telephony service."""

    async def start_and_wait(self, *, woken_only: bool) -> None:
        """Start it, and let it look for work by itself or not; it takes calls then."""
        poll_seconds = POLL_SECONDS_WOKEN_ONLY if woken_only else POLL_SECONDS
        await self.start(TELEPHONY_POLL_INTERVAL_SECONDS=poll_seconds)
        serving = health_pb2.HealthCheckResponse.SERVING
        await eventually(self._status, lambda seen: seen == serving, READY_SECONDS)

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[grpc.aio.Channel]:
        """Open a channel to it, until it dies."""
        address = self.settings["TELEPHONY_LISTEN_ADDRESS"]
        async with grpc.aio.insecure_channel(address) as channel:
            yield channel

    async def let_leases_end(self) -> None:
        """Let some time go by."""
        await self.connection.execute(LET_LEASES_END)

    async def _status(self) -> int:
        async with self.channel() as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            try:
                return int((await stub.Check(health_pb2.HealthCheckRequest())).status)
            except grpc.aio.AioRpcError:
                return int(health_pb2.HealthCheckResponse.UNKNOWN)


async def settings_for(
    database: ServiceDatabase, twilio: TwilioSimulator, wires: Wires, **changed: str
) -> dict[str, str]:
    """Return the settings of a service all of whose ways lead through the wires."""
    twilio_address = await wires.lead_to(urlsplit(twilio.base_url).netloc)
    return {
        **SETTINGS,
        "TELEPHONY_LISTEN_ADDRESS": free_address(),
        "TELEPHONY_PLAINTEXT": "true",
        "TELEPHONY_DATABASE_URL": await database_url_for(database, wires),
        "TWILIO_API_BASE": f"http://{twilio_address}",
        **changed,
    }
