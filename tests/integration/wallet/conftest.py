"""A wallet service of its own for each test."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import grpc
import pytest
from pydantic import SecretStr

from services.wallet.app import build
from services.wallet.config import WalletSettings
from tests.conftest import MakeDatabase
from tests.support.databases import ServiceDatabase
from tests.support.services import ANY_PORT, WALLET_DEFAULTS, running
from tollgate.billing_gateway.v1 import subscription_observer_service_pb2_grpc
from tollgate.wallet.v1 import wallet_service_pb2_grpc


def wallet_settings(database: ServiceDatabase, **changes: object) -> WalletSettings:
    """Return settings for a wallet that nobody observes, but for what a test changes."""
    settings = WalletSettings(
        database_url=SecretStr(database.url),
        **WALLET_DEFAULTS,
        listen_address=ANY_PORT,
        metrics_address=ANY_PORT,
        observers={},
        poll_interval_seconds=0.05,
    )
    return settings.model_copy(update=changes)


@pytest.fixture
async def database(make_database: MakeDatabase) -> ServiceDatabase:
    """The wallet's database."""
    return await make_database("wallet")


@pytest.fixture
async def superuser(database: ServiceDatabase) -> AsyncIterator[Any]:
    """Somebody who may do anything to the wallet's database."""
    connection = await asyncpg.connect(database.superuser_url)
    yield connection
    await connection.close()


@pytest.fixture
async def channel(database: ServiceDatabase) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a running wallet."""
    async with running(await build(wallet_settings(database))) as channel:
        yield channel


@pytest.fixture
def wallet(channel: grpc.aio.Channel) -> wallet_service_pb2_grpc.WalletServiceStub:
    """WalletService."""
    return wallet_service_pb2_grpc.WalletServiceStub(channel)


@pytest.fixture
def subscriptions(
    channel: grpc.aio.Channel,
) -> subscription_observer_service_pb2_grpc.SubscriptionObserverServiceStub:
    """The wallet as an observer of subscriptions."""
    return subscription_observer_service_pb2_grpc.SubscriptionObserverServiceStub(channel)
