"""One wallet's row held by somebody else: its callers hear so in time, and nobody else notices."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import grpc
import pytest

from tests.integration.wallet.requests import credit, debit, open_wallet, standing
from tests.support.databases import ServiceDatabase
from tests.support.errors import refusal
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1.subscription_observer_service_pb2_grpc import (
    SubscriptionObserverServiceStub,
)
from tollgate.wallet.v1 import wallet_service_pb2
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

HELD, FREE = "org-held", "org-free"


@pytest.fixture
async def held(wallet: WalletServiceStub, database: ServiceDatabase) -> AsyncIterator[None]:
    """Two wallets with money; the row of one is held from psql."""
    for organization_id in (HELD, FREE):
        await open_wallet(wallet, organization_id)
        await wallet.Credit(credit(1_000, "in", organization_id))
    connection = await asyncpg.connect(database.superuser_url)
    async with connection.transaction():
        await connection.execute("SELECT FROM wallets WHERE organization_id = $1 FOR UPDATE", HELD)
        yield
    await connection.close()


@pytest.mark.usefixtures("held")
async def test_a_wallet_that_is_held_up_holds_up_nobody_else(wallet: WalletServiceStub) -> None:
    waiting = asyncio.ensure_future(refusal(wallet.Debit(debit(1, "late", HELD))))
    await wallet.Debit(debit(1, "msg", FREE), timeout=2.0)
    found = await waiting
    assert found.code is grpc.StatusCode.UNAVAILABLE
    assert found.reason == "DATABASE_UNAVAILABLE"


async def test_a_lapse_reaches_others_past_one_that_is_held_up(
    wallet: WalletServiceStub,
    subscriptions: SubscriptionObserverServiceStub,
    database: ServiceDatabase,
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    for organization_id, good_until in ((HELD, soon), (FREE, soon + timedelta(seconds=0.1))):
        await open_wallet(wallet, organization_id)
        await subscriptions.ReportSubscription(standing(1, good_until, organization_id))
    connection = await asyncpg.connect(database.superuser_url)

    async def entry_count() -> int:
        request = wallet_service_pb2.GetWalletRequest(organization_id=FREE)
        return (await wallet.GetWallet(request)).wallet.entry_count

    async with connection.transaction():
        await connection.execute("SELECT FROM wallets WHERE organization_id = $1 FOR UPDATE", HELD)
        await eventually(entry_count, lambda count: count == 1)
    await connection.close()
