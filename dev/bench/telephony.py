"""A telephony service to measure, and the simulated Twilio that it drives."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import asyncpg

from dev.bench.databases import create_service_database
from dev.bench.levels import report_good_wallet, report_subscription
from dev.bench.load import drive
from dev.bench.programs import free_address, run_server
from dev.bench.requests import account_sid_of, organization_of, sending_question
from dev.postgres import EmbeddedPostgres
from dev.simulators.control_api import PREFIX
from libs.rpc.channel import open_channel
from tollgate.telephony.v1 import telephony_service_pb2 as telephony_pb2
from tollgate.telephony.v1.telephony_service_pb2_grpc import TelephonyServiceStub

SERVICE = "telephony"
TWILIO_CONCURRENCY = 20
REPORTING_IN_FLIGHT = 16
CALL_SECONDS_MAX = 30.0
SETTLE_SECONDS_MAX = 600.0
LOOK_SECONDS = 0.5

COUNT_SETTLED = """
SELECT count(*) FROM subaccounts
WHERE account_sid BETWEEN $1 AND $2 AND wanted = $3 AND observed = $3
"""


class TwilioRequest(NamedTuple):
    """When Twilio was asked what, of which account."""

    account_sid: str
    time: float
    is_suspension: bool


@dataclass(frozen=True, slots=True)
class Telephony:
    """Where the service, its database and its Twilio are reached."""

    address: str
    superuser_url: str
    twilio_url: str

    async def add_organizations(self, numbers: Iterable[int]) -> None:
        """Each with one subaccount and money; their subscriptions are to be told of yet."""
        async with open_channel(self.address) as channel:
            stub = TelephonyServiceStub(channel)

            async def add(number: int) -> None:
                await report_good_wallet(channel, organization_of(number))
                request = telephony_pb2.RegisterSubaccountRequest(
                    organization_id=organization_of(number), account_sid=account_sid_of(number)
                )
                await stub.RegisterSubaccount(request, timeout=CALL_SECONDS_MAX)

            await drive(add, numbers, REPORTING_IN_FLIGHT)

    async def report_subscriptions(
        self, numbers: Iterable[int], revision: int, *, good: bool
    ) -> None:
        """As the gateway would, of many organizations at once."""
        async with open_channel(self.address) as channel:

            async def report(number: int) -> None:
                await report_subscription(channel, organization_of(number), revision, good=good)

            await drive(report, numbers, REPORTING_IN_FLIGHT)

    async def ask_once(self) -> telephony_pb2.CanOrganizationSendResponse:
        """What is answered to those who are measured."""
        async with open_channel(self.address) as channel:
            stub = TelephonyServiceStub(channel)
            return await stub.CanOrganizationSend(sending_question(0), timeout=CALL_SECONDS_MAX)

    async def set_load(self, milliseconds: int, at_once_max: int | None) -> None:
        """How long Twilio takes for each call from now on, and how many it takes at once."""
        load = {"milliseconds": milliseconds, "at_once_max": at_once_max}
        async with (
            aiohttp.ClientSession(raise_for_status=True) as http,
            http.put(f"{self.twilio_url}{PREFIX}/load", json=load),
        ):
            pass

    async def requests(self) -> list[TwilioRequest]:
        """All that Twilio was asked, oldest first."""
        async with (
            aiohttp.ClientSession(raise_for_status=True) as http,
            http.get(f"{self.twilio_url}{PREFIX}/requests") as answer,
        ):
            return [_to_request(each) for each in await answer.json()]

    async def wait_until_all_are(self, state: str, numbers: range) -> None:
        """Returns when the subaccounts of these organizations are wanted and observed so."""
        ends = [account_sid_of(number) for number in (numbers[0], numbers[-1])]
        connection = await asyncpg.connect(self.superuser_url)
        try:
            async with asyncio.timeout(SETTLE_SECONDS_MAX):
                while await connection.fetchval(COUNT_SETTLED, *ends, state) < len(numbers):
                    await asyncio.sleep(LOOK_SECONDS)
        finally:
            await connection.close()


def _to_request(told: Mapping[str, Any]) -> TwilioRequest:
    received_at = datetime.fromisoformat(told["received_at"])
    is_suspension = told["asked"].get("Status") == "suspended"
    return TwilioRequest(told["sid"], received_at.timestamp(), is_suspension)


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
        "TELEPHONY_PLAINTEXT": "true",
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
