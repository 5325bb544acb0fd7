"""The gateway as a process, composed as for `make run`, in the place of a stack's own."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import ClientError

from tests.support.crashing.process import CrashingProcess, database_url_for
from tests.support.crashing.wires import Wires
from tests.support.services import ANY_PORT
from tests.support.stack import Stack
from tests.support.two_providers import (
    CLAIM_KEY,
    PAYPAL_CLIENT_ID,
    PAYPAL_CLIENT_SECRET,
    PAYPAL_WEBHOOK_ID,
    PLAN,
    STRIPE_API_KEY,
    STRIPE_WEBHOOK_SECRETS,
    TwoProviders,
)
from tests.support.waiting import eventually

# By one connection, steps come in the same order each time.
SETTINGS = {
    "BILLING_GATEWAY_DATABASE_POOL_SIZE": "1",
    "BILLING_GATEWAY_INBOX_CONCURRENCY": "1",
    "BILLING_GATEWAY_METRICS_ADDRESS": ANY_PORT,
    "BILLING_GATEWAY_CLAIM_KEYS": CLAIM_KEY,
    "BILLING_GATEWAY_PLAN_CREDITS": f'{{"{PLAN}": "amount_paid"}}',
    "STRIPE_WEBHOOK_SECRETS": ",".join(STRIPE_WEBHOOK_SECRETS),
    "STRIPE_LIVEMODE": "false",
    "STRIPE_API_KEY": STRIPE_API_KEY,
    "PAYPAL_ENVIRONMENT": "sandbox",
    "PAYPAL_CLIENT_ID": PAYPAL_CLIENT_ID,
    "PAYPAL_CLIENT_SECRET": PAYPAL_CLIENT_SECRET,
    "PAYPAL_WEBHOOK_IDS": PAYPAL_WEBHOOK_ID,
}

# To look for work that nobody has told of is a step like any other. Who is to die does not live to
# look a second time, unless something holds it up.
POLL_SECONDS, POLL_SECONDS_WOKEN_ONLY = "0.05", "5"
# With the gateway dead, as much time goes by as leases last. What is acknowledged and only marked
# once more, as at each start, is left alone.
LET_LEASES_END = """
UPDATE checkouts SET errand_due_time = now()
WHERE errand_due_time BETWEEN now() AND now() + interval '90 s';
UPDATE subscriptions SET look_due_time = now()
WHERE look_due_time BETWEEN now() AND now() + interval '90 s';
UPDATE payments SET resolve_due_time = now()
WHERE resolve_due_time BETWEEN now() AND now() + interval '90 s';
UPDATE announcements
SET due_time = CASE WHEN acknowledged_revision < revision THEN now() END
WHERE due_time IS NOT NULL;
"""


@dataclass
class GatewayProcess(CrashingProcess):
    """One gateway."""

    # Among whom it is.
    stack: Stack = field(kw_only=True)

    async def start_and_wait(self, *, woken_only: bool) -> None:
        """Start it, and let it look for work by itself or not; it takes deliveries then."""
        poll_seconds = POLL_SECONDS_WOKEN_ONLY if woken_only else POLL_SECONDS
        await self.start(BILLING_GATEWAY_POLL_INTERVAL_SECONDS=poll_seconds)
        await eventually(self._is_ready, lambda ready: ready, 30.0)

    async def let_leases_end(self) -> None:
        """Let some time go by."""
        await self.connection.execute(LET_LEASES_END)

    async def _is_ready(self) -> bool:
        url = f"http://{self.stack.addresses['http']}/readyz"
        try:
            async with self.stack.http.get(url) as answer:
                return answer.ok
        except ClientError:
            return False


async def settings_for(
    stack: Stack, providers: TwoProviders, wires: Wires, directory: Path
) -> dict[str, str]:
    """Return the settings of a gateway all of whose ways lead through the wires."""
    wallet, campaign = [await wires.lead_to(stack.addresses[it]) for it in ("wallet", "campaign")]
    paypal = await wires.lead_to(urlsplit(providers.paypal.base_url).netloc)
    stripe = await wires.lead_to(urlsplit(providers.stripe.base_url).netloc)
    root_file = directory / "root.pem"
    root_file.write_bytes(providers.paypal.root_certificate_pem)
    return {
        **SETTINGS,
        "BILLING_GATEWAY_DATABASE_URL": await database_url_for(
            stack.databases["billing_gateway"], wires
        ),
        "BILLING_GATEWAY_LISTEN_ADDRESS": stack.addresses["billing_gateway"],
        "BILLING_GATEWAY_PLAINTEXT": "true",
        "BILLING_GATEWAY_HTTP_ADDRESS": stack.addresses["http"],
        "BILLING_GATEWAY_SUBSCRIPTION_OBSERVERS": f"wallet={wallet},campaign={campaign}",
        "WALLET_ADDRESS": wallet,
        "STRIPE_API_BASE": f"http://{stripe}",
        "PAYPAL_API_BASE": f"http://{paypal}",
        "PAYPAL_SIMULATOR_URL": f"http://{paypal}",
        "PAYPAL_SIMULATOR_ROOT_FILE": str(root_file),
    }
