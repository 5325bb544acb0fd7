"""Announcing, with the wallet's level: told until acknowledged, whatever the observer holds."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from libs.announcing import storage
from libs.announcing.ports import CurrentLevel, LevelKey
from libs.config import OwnerSettings
from libs.database import Database
from libs.errors import DomainError, ErrorReason
from libs.levels import WalletLevel, is_news
from libs.metrics import ServiceMetrics
from libs.observing import wallet_observer
from libs.service import Service
from services.wallet.app import build
from tests.integration.wallet.conftest import wallet_settings
from tests.integration.wallet.requests import ORGANIZATION, credit, debit, freeze, open_wallet
from tests.support.databases import ServiceDatabase
from tests.support.locks import deadlock_count
from tests.support.services import ANY_PORT, running
from tests.support.waiting import eventually
from tollgate.wallet.v1.wallet_service_pb2 import BatchDebitRequest
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

OTHER = WalletLevel(
    revision=1,
    frozen=True,
    freeze_reasons=("OPERATOR",),
    depleted=False,
    depleted_since=None,
    owing_micros=0,
    currency_code="USD",
)


@dataclass
class Observer:
    """Holds what it is told, as a real observer does, and can be made to refuse."""

    held: WalletLevel | None = None
    told: list[WalletLevel] = field(default_factory=list)
    refusing: bool = False
    ahead: int = 0

    async def observe_wallet(self, organization_id: str, level: WalletLevel) -> int:
        """Take the level if it is news."""
        assert organization_id == ORGANIZATION
        if self.refusing:
            raise DomainError(ErrorReason.DATABASE_UNAVAILABLE, "not now")
        if is_news(self.held, level):
            self.held = level
            self.told.append(level)
        assert self.held is not None
        return self.held.revision + self.ahead


@dataclass
class Announced:
    """A wallet that is observed."""

    wallet: WalletServiceStub
    observer: Observer
    database: ServiceDatabase

    async def told_in_vain(self) -> bool:
        """Tell whether the observer has refused."""
        return (await self.acknowledged())[2:] not in ((), ("",))

    async def acknowledged(self) -> Sequence[Any]:
        """Return revision, acknowledged revision and error of what the observer is told."""
        connection = await asyncpg.connect(self.database.url)
        try:
            row = await connection.fetchrow(
                "SELECT revision, acknowledged_revision, last_error FROM announcements "
                "WHERE observer = 'observer'"
            )
        finally:
            await connection.close()
        return tuple(row) if row is not None else ()


@pytest.fixture
async def announced(database: ServiceDatabase) -> AsyncIterator[Announced]:
    """A wallet and one observer behind a real channel."""
    observer = Observer()
    settings = OwnerSettings(
        database_url=SecretStr(database.url),
        listen_address=ANY_PORT,
        plaintext=True,
        metrics_address=ANY_PORT,
    )
    observing = Service(
        settings,
        await Database.connect(SecretStr(database.url), 1, "observer"),
        ServiceMetrics(),
        None,
        rpc_services=[wallet_observer(observer)],
    )
    async with running(observing):
        observed = wallet_settings(
            database,
            observers={"observer": f"127.0.0.1:{observing.port}"},
            announce_back_off_max_seconds=0.2,
        )
        async with running(await build(observed)) as channel:
            yield Announced(WalletServiceStub(channel), observer, database)


async def held_revision(observer: Observer) -> int:
    return observer.held.revision if observer.held else 0


async def test_a_level_is_told_when_it_changes_and_only_then(announced: Announced) -> None:
    await open_wallet(announced.wallet)
    for number in range(20):
        await announced.wallet.Credit(credit(1_000, f"in-{number}"))
    await announced.wallet.FreezeWallet(freeze())
    await eventually(announced.acknowledged, lambda it: it[:2] == (3, 3))
    told = [(each.revision, each.depleted, each.frozen) for each in announced.observer.told]
    assert told[-1] == (3, False, True)
    assert len(told) <= 3


async def test_an_observer_that_refuses_is_told_again_until_it_takes_it(
    announced: Announced,
) -> None:
    announced.observer.refusing = True
    await open_wallet(announced.wallet)
    seen = await eventually(announced.acknowledged, lambda it: bool(it) and it[2] != "")
    assert seen[1] == 0
    assert "DATABASE_UNAVAILABLE" in seen[2]
    announced.observer.refusing = False
    await eventually(announced.acknowledged, lambda it: it == (1, 1, ""))


async def test_an_announcer_restored_from_a_backup_jumps_above_what_its_observer_holds(
    announced: Announced,
) -> None:
    announced.observer.held = replace(OTHER, revision=40)
    await open_wallet(announced.wallet)
    await eventually(lambda: held_revision(announced.observer), lambda it: it == 41)
    assert announced.observer.held.depleted
    await eventually(announced.acknowledged, lambda it: it[:2] == (41, 41))


async def test_the_same_revision_with_other_content_is_healed_above_it(
    announced: Announced,
) -> None:
    announced.observer.held = OTHER
    await open_wallet(announced.wallet)
    await eventually(lambda: held_revision(announced.observer), lambda it: it == 2)
    assert not announced.observer.held.frozen


async def test_a_sweep_tells_an_observer_that_lost_everything(
    announced: Announced, database: ServiceDatabase
) -> None:
    await open_wallet(announced.wallet)
    await eventually(announced.acknowledged, lambda it: it[:2] == (1, 1))
    announced.observer.held = None
    settings = wallet_settings(database, observers={"observer": "127.0.0.1:1"})
    # Another replica sweeps when it starts; whoever is first tells what it marked.
    async with running(await build(settings)):
        await eventually(lambda: held_revision(announced.observer), lambda it: it == 1)


async def test_an_acknowledgement_of_an_old_revision_leaves_the_new_one_due(
    database: ServiceDatabase,
) -> None:
    opened = await Database.connect(SecretStr(database.url), 1, "test")
    key = LevelKey(ORGANIZATION)
    line = storage.Line("wallet", "observer")
    try:
        for revision in (1, 2):
            await opened.run(
                storage.mark, "wallet", [CurrentLevel(key, revision)], ["observer"], 0.0
            )
        await opened.run(storage.acknowledge, line, key, 1)
        assert await opened.run(storage.list_due, line, 10) == [key]
        await opened.run(storage.acknowledge, line, key, 2)
        assert await opened.run(storage.list_due, line, 10) == []
    finally:
        await opened.close()


async def test_an_observer_that_is_always_ahead_is_waited_for_not_chased(
    announced: Announced,
) -> None:
    announced.observer.ahead = 1
    await open_wallet(announced.wallet)
    await eventually(announced.acknowledged, lambda it: bool(it) and "always ahead" in it[2])
    assert len(announced.observer.told) <= 4
    announced.observer.ahead = 0
    await eventually(announced.acknowledged, lambda it: it[0] == it[1])


async def test_an_observer_with_an_absurd_revision_is_a_failure_not_a_goal(
    announced: Announced,
) -> None:
    announced.observer.ahead = 2**62
    await open_wallet(announced.wallet)
    await eventually(announced.acknowledged, lambda it: bool(it) and "absurd" in it[2])
    announced.observer.ahead = 0
    await eventually(announced.acknowledged, lambda it: it == (1, 1, ""))


async def test_what_an_observer_of_the_past_was_owed_does_not_keep_others_from_hearing(
    announced: Announced, database: ServiceDatabase
) -> None:
    connection = await asyncpg.connect(database.superuser_url)
    await connection.execute(
        "INSERT INTO announcements (organization_id, level, key, observer, revision, due_time) "
        "SELECT 'org-' || n, 'wallet', '', 'decommissioned', 1, now() - interval '1 day' "
        "FROM generate_series(1, 2000) AS n"
    )
    announced.observer.refusing = True
    await open_wallet(announced.wallet)
    await eventually(announced.told_in_vain, lambda it: it)
    announced.observer.refusing = False
    await eventually(lambda: held_revision(announced.observer), lambda it: it == 1)
    await connection.close()


@pytest.mark.long
async def test_sweeps_and_changing_levels_never_wait_for_each_other_in_a_circle(
    database: ServiceDatabase,
) -> None:
    """The wallets lie in the table in another order than that in which a sweep takes them."""
    settings = wallet_settings(
        database,
        observers={"nobody": "127.0.0.1:1"},
        poll_interval_seconds=0.001,
        announce_sweep_interval_seconds=0.001,
    )
    names = [f"org-{number:03}" for number in reversed(range(100))]
    async with running(await build(settings)) as channel:
        wallet = WalletServiceStub(channel)
        for name in names:
            await open_wallet(wallet, name)
        for number in range(8):
            changes = [credit(1, f"in-{number}", name) for name in names]
            await asyncio.gather(*map(wallet.Credit, changes))
            spending = [debit(1, f"out-{number}", name) for name in names]
            await wallet.BatchDebit(BatchDebitRequest(debits=spending))
    assert await deadlock_count(database) == 0
