"""The running stack, as the platform, Stripe and a look at Twilio reach it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp

from dev.stack.errors import StackError
from dev.stack.running_stack import read_running_stack
from dev.stack.settings import read_settings
from dev.stack.stack import is_serving
from dev.stripe_simulator import JsonObject, signature_header, to_body
from libs.rpc.client import open_channel
from tollgate.billing_gateway.v1.billing_gateway_service_pb2_grpc import BillingGatewayServiceStub
from tollgate.campaign.v1.campaign_service_pb2_grpc import CampaignServiceStub
from tollgate.telephony.v1.telephony_service_pb2_grpc import TelephonyServiceStub
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub


@dataclass(frozen=True)
class Tollgate:
    """What the story talks to."""

    wallet: WalletServiceStub
    campaign: CampaignServiceStub
    telephony: TelephonyServiceStub
    gateway: BillingGatewayServiceStub
    http: aiohttp.ClientSession
    webhooks_url: str
    twilio_url: str
    stripe_secret: str

    async def deliver(self, stripe_event: JsonObject) -> str:
        """Signs an event and posts it as Stripe does."""
        body = to_body(stripe_event)
        headers = {"Stripe-Signature": signature_header(body, self.stripe_secret)}
        url = f"{self.webhooks_url}/stripe"
        async with self.http.post(url, data=body, headers=headers) as answer:
            return f"HTTP {answer.status}"

    async def twilio_status(self, account_sid: str) -> str:
        """How an account stands at the simulator, past Tollgate."""
        async with self.http.get(f"{self.twilio_url}/_simulator/accounts/{account_sid}") as answer:
            return str((await answer.json())["status"])


@asynccontextmanager
async def connect(environment: Mapping[str, str]) -> AsyncIterator[Tollgate]:
    """Connects to the running stack; a StackError says what is missing."""
    running = read_running_stack(read_settings(environment).data_directory)
    if running is None:
        raise StackError("Tollgate is not running: start it with `make run` in another terminal.")
    if running.twilio_simulator_url is None:
        raise StackError("The demo makes up Twilio accounts: let `make run` simulate Twilio.")
    secrets = environment.get("STRIPE_WEBHOOK_SECRETS")
    if secrets is None:
        raise StackError("STRIPE_WEBHOOK_SECRETS is not set here, and Stripe's events are signed.")
    async with AsyncExitStack() as exits:
        channels = {
            service: await exits.enter_async_context(open_channel(address))
            for service, address in running.grpc_addresses.items()
        }
        silent = [service for service, channel in channels.items() if not await is_serving(channel)]
        if silent:
            raise StackError(f"{', '.join(silent)} does not answer: is `make run` still running?")
        timeout = aiohttp.ClientTimeout(total=10)
        yield Tollgate(
            wallet=WalletServiceStub(channels["wallet"]),
            campaign=CampaignServiceStub(channels["campaign"]),
            telephony=TelephonyServiceStub(channels["telephony"]),
            gateway=BillingGatewayServiceStub(channels["billing_gateway"]),
            http=await exits.enter_async_context(aiohttp.ClientSession(timeout=timeout)),
            webhooks_url=running.webhooks_url,
            twilio_url=running.twilio_simulator_url,
            stripe_secret=secrets.split(",")[0].strip(),
        )
