"""All of Tollgate as it runs in earnest, with everybody that it depends on, for an operator."""

import asyncio
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from dev.simulators.deliveries import Event
from dev.simulators.stripe import StripeSimulator
from dev.stack.certificates import directory_of
from services.billing_gateway.domain.values import Provider
from tests.support.database_door import DatabaseDoor
from tests.support.doors import Door
from tests.support.runbook.document import Block
from tests.support.stack import CONSOLE, Stack
from tests.support.two_providers import Told, TwoProviders
from tests.support.waiting import eventually, let_time_pass
from tollgate.billing_gateway.v1 import billing_gateway_service_pb2, provider_pb2
from tollgate.billing_gateway.v1.billing_gateway_service_pb2_grpc import BillingGatewayServiceStub
from tollgate.campaign.v1 import campaign_service_pb2
from tollgate.campaign.v1.campaign_service_pb2_grpc import CampaignServiceStub
from tollgate.operator_console.v1 import diagnosis_pb2, operator_service_pb2
from tollgate.operator_console.v1.operator_service_pb2_grpc import OperatorServiceStub
from tollgate.telephony.v1 import telephony_service_pb2
from tollgate.telephony.v1.telephony_service_pb2_grpc import TelephonyServiceStub
from tollgate.wallet.v1 import wallet_service_pb2
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

STUBS: Mapping[str, Any] = {
    "wallet": WalletServiceStub,
    "campaign": CampaignServiceStub,
    "telephony": TelephonyServiceStub,
    "billing_gateway": BillingGatewayServiceStub,
    CONSOLE: OperatorServiceStub,
}
# What the runbook calls the services, in the order of their ports.
PORTS = {"wallet": 50051, "campaign": 50052, "telephony": 50053, "billing_gateway": 50054}
SHOWN = {**{name: f"localhost:{port}" for name, port in PORTS.items()}, CONSOLE: "localhost:50055"}
LOGS = "/var/log/tollgate"
BETWEEN_DIAGNOSES_SECONDS = 0.15
PLAN = "price_basic"
# What every organization here has paid.
PAID_MICROS = 20_000_000
STRIPE = provider_pb2.PROVIDER_STRIPE


@dataclass
class Ran:
    """A script that has ended."""

    code: int
    printed: str

    def shows(self, text: str) -> bool:
        """Tell whether a text was printed; some versions print field_name as fieldName."""
        return _plain(text) in _plain(self.printed)


@dataclass
class Customer:
    """An organization that sends, and what it is known by elsewhere."""

    organization_id: str
    customer_id: str
    subscription_id: str
    invoice_id: str
    intent_id: str
    account_sid: str
    campaign_id: str

    def of(self, organization_id: str) -> "Customer":
        """Return the same, as it is another organization's."""
        return replace(self, organization_id=organization_id)

    def with_account(self, account_sid: str) -> "Customer":
        """Return the same with another subaccount."""
        return replace(self, account_sid=account_sid)

    @property
    def words(self) -> dict[str, str]:
        """Return what stands for these in the runbook."""
        return {
            "org-1": self.organization_id,
            "cus_1": self.customer_id,
            "sub_1": self.subscription_id,
            "in_1": self.invoice_id,
            "AC0123456789abcdef0123456789abcdef": self.account_sid,
            "campaign-1": self.campaign_id,
        }


@dataclass
class Site:
    """The running services, whom they depend on, and an operator's directory."""

    stack: Stack
    providers: TwoProviders
    doors: Mapping[str, DatabaseDoor]
    certificates: Path
    logs: Path
    # What every script begins with: the runbook's first one.
    preamble: str = ""
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    channels: dict[tuple[str, str], grpc.aio.Channel] = field(default_factory=dict)
    # When each organization was diagnosed last.
    asked: dict[str, float] = field(default_factory=dict)

    @property
    def stripe(self) -> StripeSimulator:
        """Stripe, which tells nothing until it is let."""
        return self.providers.stripe

    def ask(self, service: str, role: str = "operator") -> Any:
        """Return the service's stub, for somebody in a role."""
        return STUBS[service](self.channel(service, role))

    def channel(self, service: str, role: str = "operator") -> grpc.aio.Channel:
        """Return the one channel to a service of somebody in a role."""
        key = (service, role)
        if key not in self.channels:
            door = Door(self.stack.addresses[service], self.certificates)
            self.channels[key] = door.open(role)
        return self.channels[key]

    async def require_health(self, service: str, status: str) -> None:
        """Wait until a service says so of itself."""
        stub = health_pb2_grpc.HealthStub(self.channel(service))

        async def health() -> str:
            answer = await stub.Check(health_pb2.HealthCheckRequest())
            return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))

        await eventually(health, lambda it: it == status)

    async def close(self) -> None:
        """Let go of all connections."""
        for channel in self.channels.values():
            await channel.close()

    async def run(self, script: str, words: Mapping[str, str] | None = None) -> Ran:
        """Run what an operator pastes, with the words of the document put right."""
        process = await asyncio.create_subprocess_exec(
            *("bash", "-euc"),
            self.put_right(self.preamble + script, words or {}),
            cwd=directory_of("operator", self.certificates),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await process.communicate()
        assert process.returncode is not None
        return Ran(process.returncode, printed.decode())

    async def paste(self, block: Block, words: Mapping[str, str]) -> Ran:
        """Run a block of the runbook, which must go well and print what is said there."""
        ran = await self.run(block.script, words)
        assert ran.code == 0, f"{block.script}\n{ran.printed}"
        for each in block.seen:
            assert ran.shows(self.put_right(each, words)), f"{each}\n{block.script}\n{ran.printed}"
        return ran

    def put_right(self, text: str, words: Mapping[str, str]) -> str:
        """Return a text of the document with what is only an example there replaced."""
        shown = {SHOWN[name]: self.stack.addresses[name] for name in SHOWN}
        ports = {each.rpartition(":")[2]: shown[each].rpartition(":")[2] for each in shown}
        for word, real in {**shown, **ports, LOGS: str(self.logs), **words}.items():
            text = text.replace(word, real)
        return text

    async def diagnose(
        self, organization_id: str
    ) -> operator_service_pb2.DiagnoseOrganizationResponse:
        """Ask the console, no more often than it helps: each time it asks for two dozen things."""
        now = time.monotonic()
        wait = self.asked.get(organization_id, 0.0) + BETWEEN_DIAGNOSES_SECONDS - now
        if wait > 0:
            await let_time_pass(wait)
        self.asked[organization_id] = time.monotonic()
        request = operator_service_pb2.DiagnoseOrganizationRequest(organization_id=organization_id)
        answer: operator_service_pb2.DiagnoseOrganizationResponse = await self.ask(
            CONSOLE
        ).DiagnoseOrganization(request)
        return answer

    async def findings(self) -> list[diagnosis_pb2.Finding]:
        """Return what the console finds anywhere."""
        request = operator_service_pb2.GetOverviewRequest()
        return [*(await self.ask(CONSOLE).GetOverview(request)).findings]

    def told_as(self, event_type: str) -> Event:
        """Return the one event of a type that Stripe has not told yet."""
        [event] = [each for each in self.stripe.deliveries.held if each.event_type == event_type]
        return event

    async def tell(self, *types: str) -> None:
        """Let Stripe tell what has happened; or only some types of events, and the rest later."""
        held = self.stripe.deliveries.held
        told = [event for event in held if not types or event.event_type in types]
        held[:] = [event for event in held if event not in told]
        for event in told:
            assert await self.providers.deliver(Told(Provider.STRIPE, event)) == 200

    def tell_nothing(self) -> None:
        """Let what has happened at Stripe be lost on its way."""
        self.stripe.deliveries.held.clear()

    async def tamper(self, service: str, statement: str, *values: object) -> None:
        """Change a service's database behind its back."""
        connection = await asyncpg.connect(self.stack.databases[service].superuser_url)
        try:
            await connection.execute(statement, *values)
        finally:
            await connection.close()

    async def open_customer(self, name: str) -> Customer:
        """Let an organization pay, be linked, registered, and send."""
        customer = self.subscribe(name)
        await self.link(customer)
        await self.tell("customer.subscription.created", "invoice.paid")
        self.tell_nothing()
        await self.register(customer)
        await self.start_campaign(customer)
        await eventually(lambda: self.may_send(customer), bool)
        return customer

    def subscribe(self, name: str) -> Customer:
        """Let somebody subscribe at Stripe, and nobody know of it."""
        number = next(self.numbers)
        account = self.stripe.account
        subscription_id = account.subscribe(PLAN)
        subscription = account.subscription(subscription_id)
        invoice = account.invoice(subscription.latest_invoice_id)
        return Customer(
            organization_id=f"{name}-{number}",
            customer_id=subscription.customer_id,
            subscription_id=subscription_id,
            invoice_id=invoice.id,
            intent_id=invoice.intent_id,
            account_sid=f"AC{number:032x}",
            campaign_id=f"campaign-of-{name}-{number}",
        )

    async def link(self, customer: Customer, currency_code: str = "USD") -> None:
        """Let the platform say whose a subscription is."""
        await self.ask("billing_gateway", "platform").LinkSubscription(
            billing_gateway_service_pb2.LinkSubscriptionRequest(
                organization_id=customer.organization_id,
                provider=STRIPE,
                provider_subscription_id=customer.subscription_id,
                provider_customer_id=customer.customer_id,
                currency_code=currency_code,
            )
        )

    async def may_send(self, customer: Customer) -> bool:
        """Ask what senders ask."""
        request = telephony_service_pb2.CanOrganizationSendRequest(
            organization_id=customer.organization_id
        )
        return bool((await self.ask("telephony").CanOrganizationSend(request)).allowed)

    async def register(self, customer: Customer) -> None:
        """Let the platform register a subaccount."""
        await self.ask("telephony", "platform").RegisterSubaccount(
            telephony_service_pb2.RegisterSubaccountRequest(
                organization_id=customer.organization_id, account_sid=customer.account_sid
            )
        )

    async def start_campaign(self, customer: Customer) -> None:
        """Let the platform start a campaign, as soon as nothing keeps it from running."""
        campaign = self.ask("campaign", "platform")
        await campaign.CreateCampaign(
            campaign_service_pb2.CreateCampaignRequest(
                campaign_id=customer.campaign_id,
                organization_id=customer.organization_id,
                brand_id="brand",
            )
        )
        request = campaign_service_pb2.GetEligibilityRequest(
            organization_id=customer.organization_id
        )

        async def eligible() -> bool:
            return bool((await campaign.GetEligibility(request)).eligibility.eligible)

        await eventually(eligible, bool)
        await campaign.StartCampaign(
            campaign_service_pb2.StartCampaignRequest(campaign_id=customer.campaign_id)
        )

    async def spend(self, customer: Customer, amount_micros: int) -> None:
        """Let a sender pay for messages."""
        await self.ask("wallet", "sender").Debit(
            wallet_service_pb2.DebitRequest(
                organization_id=customer.organization_id,
                amount_micros=amount_micros,
                currency_code="USD",
                reference_id=f"message-{next(self.numbers)}",
            )
        )

    async def pay_in(self, customer: Customer, amount_micros: int) -> None:
        """Let the platform give the organization money."""
        await self.ask("wallet", "platform").Credit(
            wallet_service_pb2.CreditRequest(
                organization_id=customer.organization_id,
                amount_micros=amount_micros,
                currency_code="USD",
                reference_id=f"paid-{next(self.numbers)}",
                type=wallet_service_pb2.CREDIT_TYPE_TOP_UP,
            )
        )

    async def reach(
        self, organization_id: str, is_reached: Callable[[Sequence[str]], bool]
    ) -> list[diagnosis_pb2.Finding]:
        """Wait until the console finds so: the codes of its findings, the first one first."""
        found: list[diagnosis_pb2.Finding] = []

        async def codes() -> list[str]:
            found[:] = (await self.diagnose(organization_id)).findings
            return [each.code for each in found]

        await eventually(codes, is_reached)
        return found


def operator_options(certificates: Path) -> str:
    """Return how the operator's grpcurl proves itself, from wherever it is run."""
    directory = directory_of("operator", certificates)
    files = ("cacert", "ca.crt"), ("cert", "tls.crt"), ("key", "tls.key")
    return " ".join(f"-{option} {shlex.quote(str(directory / name))}" for option, name in files)


def _plain(text: str) -> str:
    return text.replace("_", "").lower()
