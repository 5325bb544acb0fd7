"""Several real services in the test's own loop, each on a port that survives restarts."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import grpc
from multidict import CIMultiDict
from pydantic import SecretStr

from dev.simulators.twilio.simulator import TwilioSimulator
from dev.stack.certificates import directory_of
from dev.stripe_simulator import signature_header, to_body
from libs.metrics import ServiceMetrics
from libs.service import Service
from services.billing_gateway.app import assemble as assemble_billing_gateway
from services.billing_gateway.app import build as build_billing_gateway
from services.billing_gateway.config import BillingGatewaySettings
from services.billing_gateway.domain.observations import Observation
from services.billing_gateway.domain.values import Provider
from services.billing_gateway.paypal.signature.certificates import PayPalTrust
from services.billing_gateway.ports import PaymentProvider
from services.campaign.app import build as build_campaign
from services.campaign.config import CampaignSettings
from services.operator_console.app import build as build_console
from services.operator_console.config import OperatorConsoleSettings
from services.telephony.app import build as build_telephony
from services.telephony.config import TelephonySettings
from services.wallet.app import build as build_wallet
from services.wallet.config import WalletSettings
from tests.support.databases import ServiceDatabase
from tests.support.fake_provider import SIGNED, fake_event
from tests.support.services import WALLET_DEFAULTS, free_address
from tollgate.billing_gateway.v1.billing_gateway_service_pb2_grpc import BillingGatewayServiceStub
from tollgate.campaign.v1.campaign_service_pb2_grpc import CampaignServiceStub
from tollgate.operator_console.v1.operator_service_pb2_grpc import OperatorServiceStub
from tollgate.telephony.v1.telephony_service_pb2_grpc import TelephonyServiceStub
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

STRIPE_SECRET = "whsec_of_a_test"
TWILIO_SID = "AC" + "0" * 32
TWILIO_TOKEN = "token-of-a-test"
SERVICES = ("wallet", "campaign", "telephony", "billing_gateway")
# It has no database, and is started by those who ask for it.
CONSOLE = "operator_console"

# What a test waits for should not wait for a slow clock; but all the workers' looks for what is due
# cost more than what they find.
FAST = {
    "listen_address": "",
    "plaintext": True,
    "stop_grace_seconds": 1.0,
}


@dataclass
class Stack:
    """The services, their databases, Twilio's simulator, and doors to them all."""

    databases: Mapping[str, ServiceDatabase]
    twilio: TwilioSimulator
    http: aiohttp.ClientSession
    gateway_settings: Mapping[str, Any] = field(default_factory=dict)
    # What others are told in place of what is said below, by the service's name.
    settings: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    # Whom the gateway and the wallet tell how an organization stands.
    observers: Sequence[str] = ("campaign", "telephony")
    # In place of those that the settings make.
    gateway_providers: Mapping[Provider, PaymentProvider] | None = None
    # By what PayPal is believed, made anew for each start.
    paypal_trust: Callable[[], PayPalTrust | None] = lambda: None
    # Of everybody; without, all speak in the clear.
    certificates: Path | None = None
    addresses: dict[str, str] = field(
        default_factory=lambda: {name: free_address() for name in (*SERVICES, CONSOLE, "http")}
    )
    metrics_addresses: dict[str, str] = field(
        default_factory=lambda: {name: free_address() for name in (*SERVICES, CONSOLE)}
    )
    seconds: Iterator[int] = field(default_factory=count)
    running: dict[str, Service] = field(default_factory=dict)
    channels: dict[str, grpc.aio.Channel] = field(default_factory=dict)

    async def start(self, *names: str) -> None:
        """Start services; all that have a database if none is named."""
        for name in names or SERVICES:
            service = await self._builders()[name]()
            await service.start()
            self.running[name] = service

    async def stop(self, *names: str) -> None:
        """Stop services; all that run if none is named."""
        for name in names or tuple(self.running):
            await self.running.pop(name).stop()

    async def close(self) -> None:
        """Stop everything."""
        await self.stop()
        for channel in self.channels.values():
            await channel.close()

    def channel(self, name: str) -> grpc.aio.Channel:
        """Return the one channel to a service."""
        if name not in self.channels:
            options = [("grpc.max_reconnect_backoff_ms", 100)]
            self.channels[name] = grpc.aio.insecure_channel(self.addresses[name], options)
        return self.channels[name]

    @property
    def wallet(self) -> WalletServiceStub:
        """WalletService."""
        return WalletServiceStub(self.channel("wallet"))

    @property
    def campaign(self) -> CampaignServiceStub:
        """CampaignService."""
        return CampaignServiceStub(self.channel("campaign"))

    @property
    def telephony(self) -> TelephonyServiceStub:
        """TelephonyService."""
        return TelephonyServiceStub(self.channel("telephony"))

    @property
    def gateway(self) -> BillingGatewayServiceStub:
        """BillingGatewayService."""
        return BillingGatewayServiceStub(self.channel("billing_gateway"))

    @property
    def console(self) -> OperatorServiceStub:
        """OperatorService."""
        return OperatorServiceStub(self.channel(CONSOLE))

    def next_second(self) -> datetime:
        """Return a provider's time later than all that were given out before."""
        return now() - timedelta(hours=1) + timedelta(seconds=next(self.seconds))

    async def deliver(self, event: Mapping[str, Any]) -> int:
        """Deliver an event as Stripe does; return the answer's status."""
        body = to_body(event)
        return await self.post(body, signature_header(body, STRIPE_SECRET))

    async def post(self, body: bytes, *signatures: str) -> int:
        """Deliver any bytes with any signatures; return the answer's status."""
        return await self.post_to(
            Provider.STRIPE, body, [("Stripe-Signature", signature) for signature in signatures]
        )

    async def deliver_fake(
        self, provider: Provider, event_id: str, *observations: Observation
    ) -> int:
        """Deliver an event of a fake provider; return the answer's status."""
        return await self.post_to(provider, fake_event(event_id, *observations), SIGNED.items())

    async def post_to(
        self, provider: Provider, body: bytes, headers: Iterable[tuple[str, str]]
    ) -> int:
        """Deliver any bytes with any headers; return the answer's status."""
        url = f"http://{self.addresses['http']}/webhooks/{provider.lower()}"
        async with self.http.post(url, data=body, headers=CIMultiDict(headers)) as answer:
            return answer.status

    def _builders(self) -> dict[str, Callable[[], Awaitable[Service]]]:
        return {
            "wallet": lambda: build_wallet(self._wallet_settings()),
            "campaign": lambda: build_campaign(CampaignSettings(**self._common("campaign"))),
            "telephony": lambda: build_telephony(self._telephony_settings()),
            "billing_gateway": self._build_gateway,
            CONSOLE: lambda: build_console(self._console_settings()),
        }

    async def _build_gateway(self) -> Service:
        providers = self.gateway_providers
        if providers is None:
            return await build_billing_gateway(self._gateway_settings(), self.paypal_trust())
        return await assemble_billing_gateway(
            self._gateway_settings(), lambda _: providers, ServiceMetrics()
        )

    def _common(self, name: str) -> dict[str, Any]:
        own = {"database_url": self.databases[name].url, "poll_interval_seconds": 0.2}
        return {**own, **self._door(name)}

    def _door(self, name: str) -> dict[str, Any]:
        own = {
            "listen_address": self.addresses[name],
            "metrics_address": self.metrics_addresses[name],
        }
        if self.certificates is None:
            return {**FAST, **own}
        directory = directory_of(name, self.certificates)
        return {**FAST, **own, "plaintext": False, "tls_directory": directory}

    def _wallet_settings(self) -> WalletSettings:
        observers = {name: self.addresses[name] for name in self.observers}
        return WalletSettings(
            **{
                **self._common("wallet"),
                **WALLET_DEFAULTS,
                "observers": observers,
                "announce_back_off_max_seconds": 0.5,
                **self.settings.get("wallet", {}),
            }
        )

    def _console_settings(self) -> OperatorConsoleSettings:
        return OperatorConsoleSettings(
            **self._door(CONSOLE),
            services={name: self.addresses[name] for name in SERVICES},
            **self.settings.get(CONSOLE, {}),
        )

    def _telephony_settings(self) -> TelephonySettings:
        return TelephonySettings(
            **{
                **self._common("telephony"),
                "twilio_account_sid": TWILIO_SID,
                "twilio_auth_token": SecretStr(TWILIO_TOKEN),
                "twilio_api_base": self.twilio.base_url,
                # A process that is killed keeps what it has claimed for four times as long.
                "twilio_timeout_seconds": 2.0,
                **self.settings.get("telephony", {}),
            }
        )

    def _gateway_settings(self) -> BillingGatewaySettings:
        observers = ("wallet", *self.observers)
        return BillingGatewaySettings(
            **{
                **self._common("billing_gateway"),
                "http_address": self.addresses["http"],
                "wallet_address": self.addresses["wallet"],
                "subscription_observers": {name: self.addresses[name] for name in observers},
                "announce_back_off_max_seconds": 0.5,
                "trust_claimed_organizations": True,
                "stripe_webhook_secrets": (SecretStr(STRIPE_SECRET),),
                "stripe_livemode": False,
                **self.gateway_settings,
            }
        )


def now() -> datetime:
    """Return this second, as providers tell time."""
    return datetime.now(UTC).replace(microsecond=0)
