"""A telephony service to measure, and the simulated Twilio that it drives."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from dev.bench.databases import create_service_database
from dev.bench.levels import report_good_wallet, report_subscription
from dev.bench.load import drive
from dev.bench.programs import free_address, run_server
from dev.bench.requests import account_sid_of, organization_of, sending_question
from dev.postgres import EmbeddedPostgres
from libs.rpc.client import open_channel
from tollgate.telephony.v1 import telephony_service_pb2 as telephony_pb2
from tollgate.telephony.v1.telephony_service_pb2_grpc import TelephonyServiceStub

SERVICE = "telephony"
TWILIO_CONCURRENCY = 20
PREPARING_IN_FLIGHT = 16
CALL_SECONDS_MAX = 30.0
SETTLE_SECONDS_MAX = 600.0
LOOK_SECONDS = 0.5

COUNT_UNSETTLED = "SELECT count(*) FROM subaccounts WHERE observed IS DISTINCT FROM wanted"


@dataclass(frozen=True, slots=True)
class Telephony:
    """Where the service, its database and its Twilio are reached."""

    address: str
    superuser_url: str
    twilio_url: str

    async def add_organizations(self, numbers: Iterable[int]) -> None:
        """Each with one subaccount, and nothing that blocks; returns when all are settled."""
        async with open_channel(self.address) as channel:
            stub = TelephonyServiceStub(channel)

            async def add(number: int) -> None:
                organization_id = organization_of(number)
                await report_good_wallet(channel, organization_id)
                await report_subscription(channel, organization_id, 1, good=True)
                request = telephony_pb2.RegisterSubaccountRequest(
                    organization_id=organization_id, account_sid=account_sid_of(number)
                )
                await stub.RegisterSubaccount(request, timeout=CALL_SECONDS_MAX)

            await drive(add, numbers, PREPARING_IN_FLIGHT)
        await self.wait_until_settled()

    async def ask_once(self) -> telephony_pb2.CanOrganizationSendResponse:
        """What is answered to those who are measured."""
        async with open_channel(self.address) as channel:
            stub = TelephonyServiceStub(channel)
            return await stub.CanOrganizationSend(sending_question(0), timeout=CALL_SECONDS_MAX)

    async def wait_until_settled(self) -> None:
        """Returns when every subaccount is as it is wanted."""
        connection = await asyncpg.connect(self.superuser_url)
        try:
            async with asyncio.timeout(SETTLE_SECONDS_MAX):
                while await connection.fetchval(COUNT_UNSETTLED):
                    await asyncio.sleep(LOOK_SECONDS)
        finally:
            await connection.close()


@asynccontextmanager
async def run_telephony(postgres: EmbeddedPostgres, logs: Path) -> AsyncIterator[Telephony]:
    """Both, until the end of the block."""
    twilio_address = free_address()
    telephony = Telephony(
        free_address(), postgres.superuser_url(SERVICE), f"http://{twilio_address}"
    )
    account_sid, auth_token = f"AC{secrets.token_hex(16)}", secrets.token_hex(16)
    credentials = {"TWILIO_ACCOUNT_SID": account_sid, "TWILIO_AUTH_TOKEN": auth_token}
    port = twilio_address.rpartition(":")[2]
    simulator = ["dev.simulators.twilio", "--port", port, "--account-sid", account_sid]
    settings = {
        "TELEPHONY_DATABASE_URL": await create_service_database(postgres, SERVICE),
        "TELEPHONY_LISTEN_ADDRESS": telephony.address,
        "TELEPHONY_METRICS_ADDRESS": free_address(),
        "TELEPHONY_TWILIO_CONCURRENCY": str(TWILIO_CONCURRENCY),
        "TWILIO_API_BASE": telephony.twilio_url,
        **credentials,
    }
    async with (
        run_server("twilio", simulator, credentials, twilio_address, logs),
        run_server(SERVICE, [f"services.{SERVICE}"], settings, telephony.address, logs),
    ):
        yield telephony
