"""The database goes away and comes back: honest answers meanwhile, nothing lost after."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from dev.postgres import EmbeddedPostgres
from dev.simulators.twilio.simulator import TwilioSimulator
from dev.stripe_simulator import Customer, top_up_event
from tests.support.databases import FAST_SETTINGS, ServiceDatabases
from tests.support.errors import refusal
from tests.support.services import free_address
from tests.support.sights import wallet_of
from tests.support.stack import SERVICES, Stack, now
from tests.support.waiting import eventually
from tollgate.wallet.v1 import wallet_service_pb2

Status = health_pb2.HealthCheckResponse.ServingStatus


@pytest.fixture
async def own_postgres(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A PostgreSQL that this test may stop."""
    port = int(free_address().rpartition(":")[2])
    postgres = EmbeddedPostgres(tmp_path, port, FAST_SETTINGS)
    await postgres.start()
    yield postgres
    await postgres.stop()


async def health_of(stack: Stack, service: str) -> int:
    async with grpc.aio.insecure_channel(stack.addresses[service]) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        return int((await stub.Check(health_pb2.HealthCheckRequest())).status)


async def readiness_of(stack: Stack) -> int:
    async with stack.http.get(f"http://{stack.addresses['http']}/readyz") as answer:
        return answer.status


async def test_the_database_goes_away_and_comes_back(
    own_postgres: EmbeddedPostgres, twilio: TwilioSimulator
) -> None:
    async with ServiceDatabases.prepared(own_postgres) as own:
        databases = {name: await own.clone(name) for name in SERVICES}
    customer = Customer("org-1")
    first, second = (top_up_event(customer, 2_500, now()) for _ in range(2))
    async with aiohttp.ClientSession() as http:
        stack = Stack(databases, twilio, http)
        await stack.start()
        try:
            assert await stack.deliver(first) == 200
            await eventually(lambda: wallet_of(stack, "org-1"), lambda it: it.balance_micros > 0)

            await own_postgres.stop()

            for service in SERVICES:
                await eventually(
                    lambda: health_of(stack, service),  # noqa: B023 - awaited at once
                    lambda it: it == Status.NOT_SERVING,
                )
            request = wallet_service_pb2.GetWalletRequest(organization_id="org-1")
            found = await refusal(stack.wallet.GetWallet(request))
            assert found.code is grpc.StatusCode.UNAVAILABLE
            assert found.reason == "DATABASE_UNAVAILABLE"
            assert await stack.deliver(second) == 503
            assert await readiness_of(stack) == 503

            await own_postgres.start()

            for service in SERVICES:
                await eventually(
                    lambda: health_of(stack, service),  # noqa: B023 - awaited at once
                    lambda it: it == Status.SERVING,
                )
            assert await readiness_of(stack) == 200
            assert await stack.deliver(second) == 200
            await eventually(
                lambda: wallet_of(stack, "org-1"), lambda it: it.balance_micros == 50_000_000
            )
        finally:
            await stack.close()
