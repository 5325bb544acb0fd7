"""The gateway that `make run` starts is production's, with another root to believe in."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from pydantic import SecretStr

from dev.billing_gateway import build_for_simulator
from dev.simulators.deliveries import Event
from dev.simulators.paypal import PayPalSimulator
from dev.simulators.paypal.certificates import SigningChain, make_chain
from dev.simulators.paypal.signing import Signer
from services.billing_gateway.config import BillingGatewaySettings
from services.billing_gateway.paypal.environment import ADDRESSES, Environment
from tests.integration.billing_gateway.paypal.asking import CREDENTIALS, WEBHOOK_ID
from tests.support.databases import ServiceDatabase
from tests.support.services import ANY_PORT, free_address, running
from tollgate.billing_gateway.v1 import billing_gateway_service_pb2
from tollgate.billing_gateway.v1.billing_gateway_service_pb2_grpc import BillingGatewayServiceStub

EVENT = Event(
    "WH-1", "BILLING.PLAN.CREATED", b'{"id": "WH-1", "event_type": "BILLING.PLAN.CREATED"}'
)


@pytest.fixture
async def paypal(chain: SigningChain) -> AsyncIterator[PayPalSimulator]:
    """Yield a PayPal that knows where the gateway is going to be."""
    paypal = PayPalSimulator(
        client_id=CREDENTIALS.client_id,
        client_secret=CREDENTIALS.client_secret,
        webhook_id=WEBHOOK_ID,
        webhook_url=f"http://{free_address()}/webhooks/paypal",
        chain=chain,
        retry_seconds=0.01,
    )
    await paypal.start()
    yield paypal
    await paypal.stop()


@pytest.fixture
def believe(
    paypal: PayPalSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[SigningChain], None]:
    """Return how to say which root is believed in."""

    def tell(chain: SigningChain) -> None:
        file = tmp_path / "root.pem"
        file.write_bytes(chain.root.certificate_pem)
        monkeypatch.setenv("PAYPAL_SIMULATOR_URL", paypal.base_url)
        monkeypatch.setenv("PAYPAL_SIMULATOR_ROOT_FILE", str(file))

    return tell


@asynccontextmanager
async def gateway(
    paypal: PayPalSimulator, database: ServiceDatabase, environment: str = "sandbox"
) -> AsyncIterator[BillingGatewayServiceStub]:
    settings = BillingGatewaySettings(
        database_url=SecretStr(database.url),
        listen_address=ANY_PORT,
        plaintext=True,
        metrics_address=ANY_PORT,
        http_address=paypal.deliveries.url.split("/")[2],
        wallet_address=free_address(),
        subscription_observers={"wallet": free_address()},
        paypal_environment=environment,
        paypal_client_id=CREDENTIALS.client_id,
        paypal_client_secret=SecretStr(CREDENTIALS.client_secret),
        paypal_webhook_ids=(WEBHOOK_ID,),
        paypal_api_base=paypal.base_url,
    )
    async with running(await build_for_simulator(settings)) as channel:
        yield BillingGatewayServiceStub(channel)


async def answer_to(paypal: PayPalSimulator, signer: Signer, signed: bytes, body: bytes) -> int:
    headers = signer.headers(signed, datetime.now(UTC))
    async with (
        aiohttp.ClientSession() as http,
        http.post(paypal.deliveries.url, data=body, headers=headers) as answer,
    ):
        return answer.status


async def test_what_the_simulator_signs_is_kept_and_what_others_sign_is_not(
    paypal: PayPalSimulator,
    chain: SigningChain,
    believe: Callable[[SigningChain], None],
    make_database: Callable[[str], Awaitable[ServiceDatabase]],
) -> None:
    believe(chain)
    async with gateway(paypal, await make_database("billing_gateway")) as stub:
        other = Signer(chain, "another-webhook")
        assert await answer_to(paypal, other, EVENT.body, EVENT.body) == 400
        signer = Signer(chain, WEBHOOK_ID)
        assert await answer_to(paypal, signer, EVENT.body, EVENT.body + b" ") == 400
        assert await paypal.deliveries.send(EVENT) == 200
        request = billing_gateway_service_pb2.ListWebhookEventsRequest()
        listed = await stub.ListWebhookEvents(request)
    assert [each.event_id for each in listed.events] == ["WH-1"]


async def test_only_the_root_that_is_told_is_believed(
    paypal: PayPalSimulator,
    chain: SigningChain,
    believe: Callable[[SigningChain], None],
    make_database: Callable[[str], Awaitable[ServiceDatabase]],
) -> None:
    name = ADDRESSES[Environment.SANDBOX].certificate_name
    believe(make_chain(name, datetime.now(UTC)))
    signer = Signer(chain, WEBHOOK_ID)
    async with gateway(paypal, await make_database("billing_gateway")):
        assert await answer_to(paypal, signer, EVENT.body, EVENT.body) == 400


async def test_a_gateway_that_is_told_to_be_live_takes_nothing_of_the_simulator(
    paypal: PayPalSimulator,
    chain: SigningChain,
    believe: Callable[[SigningChain], None],
    make_database: Callable[[str], Awaitable[ServiceDatabase]],
) -> None:
    believe(chain)
    signer = Signer(chain, WEBHOOK_ID)
    async with gateway(paypal, await make_database("billing_gateway"), environment="live"):
        assert await answer_to(paypal, signer, EVENT.body, EVENT.body) == 400
