"""Holds whose time is up, before any worker has come to them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog

from services.wallet.app import build
from services.wallet.operations.batch import DUE_HOLDS_MAX
from services.wallet.operations.wallets import REEVALUATE_BATCH
from tests.integration.wallet.conftest import wallet_settings
from tests.integration.wallet.ledgers import capture, place, verify
from tests.integration.wallet.requests import ORGANIZATION, credit, debit, open_wallet, wallet_now
from tests.support.databases import ServiceDatabase
from tests.support.services import running
from tests.support.waiting import eventually
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

LET_TIME_PASS = """
WITH due AS (
    UPDATE holds SET expire_time = now() - make_interval(secs => 10)
    RETURNING organization_id, expire_time
)
UPDATE wallets SET next_hold_expire_time = due.expire_time, reevaluate_time = due.expire_time
FROM due WHERE due.organization_id = wallets.organization_id
"""

# Their freezes cannot be read.
MAKE_POISONED = """
INSERT INTO wallets (organization_id, freezes, reevaluate_time, create_time, update_time)
SELECT 'org-poisoned-' || number, '[{}]', now() - make_interval(days => 1), now(), now()
FROM generate_series(1, $1) AS number
"""


@pytest.fixture
async def idle_wallet(database: ServiceDatabase) -> AsyncIterator[WalletServiceStub]:
    """A wallet whose workers look for nothing while a test runs."""
    settings = wallet_settings(database, poll_interval_seconds=3_600.0)
    async with running(await build(settings)) as channel:
        yield WalletServiceStub(channel)


async def place_many(wallet: WalletServiceStub, count: int) -> None:
    """Put all that a wallet has into holds of 1."""
    await open_wallet(wallet)
    await wallet.Credit(credit(count, "in"))
    await asyncio.gather(*(wallet.PlaceHold(place(1, f"hold-{n:05}")) for n in range(count)))


async def test_however_many_holds_are_due_all_are_over_before_a_command_is_decided(
    idle_wallet: WalletServiceStub, superuser: Any
) -> None:
    count = 2 * DUE_HOLDS_MAX + 1
    await place_many(idle_wallet, count)
    await superuser.execute(LET_TIME_PASS)
    last = f"hold-{count - 1:05}"
    captured, spent = await asyncio.gather(
        idle_wallet.CaptureHold(capture(1, last)), idle_wallet.Debit(debit(count - 1, "all"))
    )
    assert await superuser.fetchval("SELECT count(*) FROM entries WHERE type = 'EXPIRY'") == count
    assert captured.wallet.held_micros == spent.wallet.held_micros == 0
    assert (await wallet_now(idle_wallet)).balance_micros == 0
    assert not (await verify(idle_wallet, ORGANIZATION)).findings


async def test_wallets_that_always_fail_do_not_keep_others_from_their_turn(
    wallet: WalletServiceStub, superuser: Any
) -> None:
    with structlog.testing.capture_logs():
        await superuser.execute(MAKE_POISONED, REEVALUATE_BATCH)
        await place_many(wallet, 1)
        await superuser.execute(LET_TIME_PASS)
        await eventually(lambda: wallet_now(wallet), lambda seen: seen.held_micros == 0)
