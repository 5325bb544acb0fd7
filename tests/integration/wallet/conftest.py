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
from tests.integration.wallet.ledgers import contents, write_story
from tests.support.databases import ServiceDatabase
from tests.support.services import ANY_PORT, WALLET_DEFAULTS, running
from tollgate.billing_gateway.v1 import subscription_observer_service_pb2_grpc
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub


def wallet_settings(database: ServiceDatabase, **changes: object) -> WalletSettings:
    """Return settings for a wallet that nobody observes, but for what a test changes."""
    settings = WalletSettings(
        database_url=SecretStr(database.url),
        **WALLET_DEFAULTS,
        listen_address=ANY_PORT,
        plaintext=True,
        metrics_address=ANY_PORT,
        observers={},
        poll_interval_seconds=0.2,
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
def wallet(channel: grpc.aio.Channel) -> WalletServiceStub:
    """WalletService."""
    return WalletServiceStub(channel)


@pytest.fixture
def subscriptions(
    channel: grpc.aio.Channel,
) -> subscription_observer_service_pb2_grpc.SubscriptionObserverServiceStub:
    """The wallet as an observer of subscriptions."""
    return subscription_observer_service_pb2_grpc.SubscriptionObserverServiceStub(channel)


@pytest.fixture
async def unchanged(wallet: WalletServiceStub, superuser: Any) -> AsyncIterator[WalletServiceStub]:
    """A wallet with a bit of everything, which is as it was after all that is refused."""
    await write_story(wallet)
    before = await contents(superuser)
    yield wallet
    assert await contents(superuser) == before
