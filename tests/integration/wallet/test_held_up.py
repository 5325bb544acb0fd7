"""One wallet's row held by somebody else: its callers hear so in time, and nobody else notices."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import grpc
import pytest
import structlog
from structlog.typing import EventDict

from services.wallet.app import build
from services.wallet.operations.engine import LANES_MAX
from tests.integration.wallet.conftest import wallet_settings
from tests.integration.wallet.requests import credit, debit, fill_queue, open_wallet, standing
from tests.support.databases import ServiceDatabase
from tests.support.errors import read_refusal, refusal
from tests.support.locks import lock_waits, rows_locked
from tests.support.services import running
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1.subscription_observer_service_pb2_grpc import (
    SubscriptionObserverServiceStub,
)
from tollgate.wallet.v1 import wallet_service_pb2
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

HELD, FREE = "org-held", "org-free"
QUEUE_MAX = 1_000


async def settled(wallet: WalletServiceStub, request: wallet_service_pb2.DebitRequest) -> str:
    """Debit; answer OK or the reason of the refusal."""
    try:
        await wallet.Debit(request)
    except grpc.aio.AioRpcError as error:
        return read_refusal(error).reason
    return "OK"


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


async def test_many_callers_of_many_held_wallets_leave_room_for_others(
    wallet: WalletServiceStub, database: ServiceDatabase
) -> None:
    """More wallets are held than are waited for at once, and each has more callers than lanes."""
    held = [f"org-held-{number}" for number in range(2 * LANES_MAX)]
    for organization_id in (*held, FREE):
        await open_wallet(wallet, organization_id)
        await wallet.Credit(credit(10_000, "in", organization_id))
    async with rows_locked(database, held):
        waiting = [
            asyncio.ensure_future(settled(wallet, debit(1, f"msg-{number}", organization_id)))
            for organization_id in held
            for number in range(10)
        ]
        for number in range(50):
            await wallet.Debit(debit(1, f"msg-{number}", FREE), timeout=2.0)
    assert set(await asyncio.gather(*waiting)) <= {"OK", "DATABASE_UNAVAILABLE"}


@pytest.mark.usefixtures("held")
async def test_a_stalled_lock_holder_is_named_in_the_log(wallet: WalletServiceStub) -> None:
    """And the time-out itself, under the name that it has in every service."""
    merging = [structlog.contextvars.merge_contextvars]
    with structlog.testing.capture_logs(processors=merging) as lines:

        async def timeouts() -> list[EventDict]:
            return [line for line in lines if line["event"] == "wallet_lock_timeout"]

        found = await refusal(wallet.Debit(debit(1, "late", HELD)))
        assert found.reason == "DATABASE_UNAVAILABLE"
        (line,) = await eventually(timeouts, bool)
    assert line["organization_id"] == HELD
    assert line["holder_usename"] == "postgres"
    assert line["holder_pid"].isdigit()
    [timeout] = [line for line in lines if line["event"] == "lock_timeout"]
    assert timeout["organization_id"] == HELD


async def test_a_caller_that_gave_up_on_a_held_wallet_has_no_effect(
    wallet: WalletServiceStub, database: ServiceDatabase
) -> None:
    """Its command waits behind one that is in a lane already, and is dropped before its turn."""
    await open_wallet(wallet, HELD)
    await wallet.Credit(credit(1_000, "in", HELD))
    async with rows_locked(database, [HELD]):
        first = asyncio.ensure_future(settled(wallet, debit(1, "first", HELD)))
        await eventually(lambda: lock_waits(database), lambda count: count == 1)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await wallet.Debit(debit(1, "gone", HELD), timeout=0.2)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert await first == "OK"
    await wallet.Debit(debit(1, "later", HELD))
    request = wallet_service_pb2.GetWalletRequest(organization_id=HELD)
    assert (await wallet.GetWallet(request)).wallet.balance_micros == 998


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


async def test_a_broken_wallet_is_frozen_however_many_wait_for_it(
    database: ServiceDatabase, superuser: Any
) -> None:
    """The freeze itself finds no room in the queue."""
    limits = {"queue_commands_per_wallet_max": QUEUE_MAX, "check_interval_seconds": 0.05}
    async with running(await build(wallet_settings(database, **limits))) as channel:
        wallet = WalletServiceStub(channel)
        await open_wallet(wallet, HELD)
        await wallet.Credit(credit(10_000, "in", HELD))
        with structlog.testing.capture_logs() as lines:

            async def told() -> set[str]:
                return {line["event"] for line in lines}

            async with rows_locked(database, [HELD]):
                riding = asyncio.ensure_future(settled(wallet, debit(1, "riding", HELD)))
                await eventually(lambda: lock_waits(database), lambda count: count == 1)
                waiting = await fill_queue(wallet, HELD, QUEUE_MAX)
                await superuser.execute("UPDATE entries SET description = 'another'")
                await eventually(told, lambda seen: "ledger_takes_no_entry" in seen)
            await asyncio.gather(riding, waiting)
            await eventually(lambda: is_frozen(wallet), bool)
        assert "ledger_check_defect" not in await told()


async def is_frozen(wallet: WalletServiceStub) -> bool:
    request = wallet_service_pb2.GetWalletRequest(organization_id=HELD)
    return (await wallet.GetWallet(request)).wallet.frozen
