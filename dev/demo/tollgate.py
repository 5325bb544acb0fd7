"""The running stack, as the platform and the simulated providers are reached."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
import grpc

from dev.stack.certificates import directory_of
from dev.stack.errors import StackError
from dev.stack.running_stack import read_running_stack
from dev.stack.services import SETTINGS_TYPES
from dev.stack.settings import read_settings
from dev.stack.simulators import SIMULATORS
from dev.stack.stack import is_serving
from libs.rpc.channel import open_channel
from libs.rpc.credentials import read_certificates
from tollgate.billing_gateway.v1.billing_gateway_service_pb2_grpc import BillingGatewayServiceStub
from tollgate.campaign.v1.campaign_service_pb2_grpc import CampaignServiceStub
from tollgate.telephony.v1.telephony_service_pb2_grpc import TelephonyServiceStub
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub


@dataclass(frozen=True)
class Tollgate:
    """What the story talks to, mostly as the platform."""

    wallet: WalletServiceStub
    campaign: CampaignServiceStub
    telephony: TelephonyServiceStub
    gateway: BillingGatewayServiceStub
    sender_wallet: WalletServiceStub
    operator_gateway: BillingGatewayServiceStub
    http: aiohttp.ClientSession
    simulator_urls: Mapping[str, str]

    async def act(self, provider: str, verb: str, **arguments: Any) -> Any:
        """Lets something happen at a simulated provider; what comes of it, such as an id."""
        url = f"{self.simulator_urls[provider]}/_simulator/act/{verb}"
        async with self.http.post(url, json=arguments) as answer:
            told = await answer.json()
            if answer.status != HTTPStatus.OK:
                raise StackError(f"{provider} does not {verb}: {told['error']}")
            return told

    async def deliver_so_often(self, provider: str, times: int) -> None:
        """From now on each event of a provider comes so many times."""
        url = f"{self.simulator_urls[provider]}/_simulator/deliveries"
        async with self.http.put(url, json={"duplicates": times - 1}) as answer:
            answer.raise_for_status()

    async def send_form(self, url: str, form: Mapping[str, str]) -> str:
        """What a customer does on a provider's page, and where they are sent then."""
        async with self.http.post(url, data=form, allow_redirects=False) as answer:
            return answer.headers.get("Location") or f"HTTP {answer.status}"

    async def set_twilio_status(self, account_sid: str, status: str) -> None:
        """What somebody does in Twilio's console."""
        url = f"{self.simulator_urls['twilio']}/_simulator/accounts/{account_sid}"
        async with self.http.put(url, json={"status": status}) as answer:
            answer.raise_for_status()

    async def twilio_status(self, account_sid: str) -> str:
        """How an account stands at the simulator, past Tollgate."""
        url = f"{self.simulator_urls['twilio']}/_simulator/accounts/{account_sid}"
        async with self.http.get(url) as answer:
            return str((await answer.json())["status"])


@asynccontextmanager
async def connect(environment: Mapping[str, str]) -> AsyncIterator[Tollgate]:
    """Connects to the running stack; a StackError says what is missing."""
    running = read_running_stack(read_settings(environment).data_directory)
    if running is None:
        raise StackError("Tollgate is not running: start it with `make run` in another terminal.")
    real = SIMULATORS.keys() - running.simulator_urls.keys()
    if real:
        titles = ", ".join(SIMULATORS[each].title for each in sorted(real))
        raise StackError(f"The demo lets things happen at simulated providers; missing: {titles}.")
    async with AsyncExitStack() as exits:

        async def channel(role: str, service: str) -> grpc.aio.Channel:
            caller = read_certificates(directory_of(role, running.certificates_directory))
            address = running.grpc_addresses[service]
            return await exits.enter_async_context(open_channel(address, caller))

        channels = {service: await channel("platform", service) for service in SETTINGS_TYPES}
        silent = [service for service, each in channels.items() if not await is_serving(each)]
        if silent:
            raise StackError(f"{', '.join(silent)} does not answer: is `make run` still running?")
        timeout = aiohttp.ClientTimeout(total=10)
        yield Tollgate(
            wallet=WalletServiceStub(channels["wallet"]),
            campaign=CampaignServiceStub(channels["campaign"]),
            telephony=TelephonyServiceStub(channels["telephony"]),
            gateway=BillingGatewayServiceStub(channels["billing_gateway"]),
            sender_wallet=WalletServiceStub(await channel("sender", "wallet")),
            operator_gateway=BillingGatewayServiceStub(
                await channel("operator", "billing_gateway")
            ),
            http=await exits.enter_async_context(aiohttp.ClientSession(timeout=timeout)),
            simulator_urls=running.simulator_urls,
        )
