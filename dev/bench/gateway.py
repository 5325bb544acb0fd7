"""A gateway to measure, with all that it needs: a wallet, a simulated PayPal, a bare handler."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dev.bench.bare_ingest import DATABASE_URL
from dev.bench.databases import create_database, create_service_database
from dev.bench.deliveries import ORGANIZATIONS
from dev.bench.ledgers import Ledger, Ledgers
from dev.bench.programs import free_address, run_server
from dev.bench.requests import organization_of
from dev.postgres import EmbeddedPostgres
from services.billing_gateway.config import BillingGatewaySettings

SERVICE = "billing_gateway"
BARE = "bare_ingest"
# As many for the bare handler as the gateway has by default.
CONNECTIONS: int = BillingGatewaySettings.model_fields["database_pool_size"].default


@dataclass(frozen=True, slots=True)
class PayPal:
    """A simulated PayPal: it serves the certificate that deliveries are signed by."""

    state_file: Path
    address: str = field(default_factory=free_address)
    client_id: str = field(default_factory=lambda: secrets.token_hex(20))
    client_secret: str = field(default_factory=lambda: secrets.token_hex(20))
    webhook_id: str = field(default_factory=lambda: secrets.token_hex(9).upper())

    @property
    def certificates(self) -> Path:
        return self.state_file.with_suffix(".certificates")

    @property
    def settings(self) -> dict[str, str]:
        return {
            "PAYPAL_CLIENT_ID": self.client_id,
            "PAYPAL_CLIENT_SECRET": self.client_secret,
            "PAYPAL_WEBHOOK_IDS": self.webhook_id,
        }


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where deliveries go, by what they are signed, and the wallet that hears of them."""

    address: str
    bare_address: str
    stripe_secret: str
    paypal: PayPal
    wallet: Ledger


@asynccontextmanager
async def run_gateway(
    postgres: EmbeddedPostgres, ledgers: Ledgers, observer: str, directory: Path, logs: Path
) -> AsyncIterator[Gateway]:
    """Everything, until the end of the block; the observer is one of subscriptions."""
    gateway_url = await create_service_database(postgres, SERVICE)
    await create_database(postgres, BARE)
    # Nothing grants its roles anything, nor what asyncpg's pool does between two users.
    bare_url = postgres.superuser_url(BARE)
    async with AsyncExitStack() as exits:
        wallet = await exits.enter_async_context(ledgers.run("of_gateway"))
        await wallet.open_wallets(map(organization_of, range(ORGANIZATIONS)))
        paypal = PayPal(directory / "paypal.json")
        gateway = Gateway(
            free_address(), free_address(), f"whsec_{secrets.token_hex(24)}", paypal, wallet
        )
        servers = {
            "paypal": (_paypal_arguments(paypal), paypal.settings, paypal.address),
            SERVICE: (
                ["dev.billing_gateway"],
                _gateway_settings(gateway, gateway_url, observer),
                gateway.address,
            ),
            BARE: (
                _bare_arguments(gateway.bare_address),
                {DATABASE_URL: bare_url},
                gateway.bare_address,
            ),
        }
        for name, (arguments, settings, address) in servers.items():
            await exits.enter_async_context(run_server(name, arguments, settings, address, logs))
        yield gateway


def _paypal_arguments(paypal: PayPal) -> list[str]:
    port = paypal.address.rpartition(":")[2]
    arguments = ["dev.simulators.paypal", "--port", port, "--state-file", str(paypal.state_file)]
    # Nothing happens at this PayPal that it could tell of.
    return [*arguments, "--webhook-url", "http://localhost"]


def _bare_arguments(address: str) -> list[str]:
    return ["dev.bench.bare_ingest", "--address", address, "--connections", str(CONNECTIONS)]


def _gateway_settings(gateway: Gateway, database_url: str, observer: str) -> dict[str, str]:
    paypal_url = f"http://{gateway.paypal.address}"
    return {
        "BILLING_GATEWAY_DATABASE_URL": database_url,
        "BILLING_GATEWAY_LISTEN_ADDRESS": free_address(),
        "BILLING_GATEWAY_PLAINTEXT": "true",
        "BILLING_GATEWAY_METRICS_ADDRESS": free_address(),
        "BILLING_GATEWAY_HTTP_ADDRESS": gateway.address,
        "BILLING_GATEWAY_SUBSCRIPTION_OBSERVERS": f"bench={observer}",
        "BILLING_GATEWAY_TRUST_CLAIMED_ORGANIZATIONS": "true",
        "WALLET_ADDRESS": gateway.wallet.address,
        "STRIPE_WEBHOOK_SECRETS": gateway.stripe_secret,
        "STRIPE_LIVEMODE": "false",
        **gateway.paypal.settings,
        "PAYPAL_ENVIRONMENT": "sandbox",
        "PAYPAL_API_BASE": paypal_url,
        "PAYPAL_SIMULATOR_URL": paypal_url,
        "PAYPAL_SIMULATOR_ROOT_FILE": str(gateway.paypal.certificates / "root.pem"),
    }
