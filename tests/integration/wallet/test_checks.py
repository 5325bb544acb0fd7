"""The service looks at its ledgers by itself, and freezes what is broken until it is repaired."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from libs.announcing.announcer import Announcer
from libs.database import Database
from libs.levels import WalletLevel
from libs.metrics import ServiceMetrics
from services.wallet.app import build, engine_limits
from services.wallet.domain.chain import ChainKeys
from services.wallet.domain.values import Entry
from services.wallet.operations.alarm import Alarm
from services.wallet.operations.checks import ENTRIES_PER_ROUND, LedgerChecks
from services.wallet.operations.engine import Engine
from services.wallet.operations.heads import KnownHeads
from services.wallet.operations.levels import WalletLevels
from services.wallet.operations.reader import Reader
from services.wallet.operations.verification import Verification
from tests.integration.wallet.conftest import wallet_settings
from tests.integration.wallet.ledgers import (
    ADD_ENTRY,
    FOLLOW_LAST_ENTRY,
    lift_integrity,
    repair,
    verify,
    write_story,
)
from tests.integration.wallet.requests import (
    ORGANIZATION,
    credit,
    debit,
    entries_of,
    open_wallet,
    wallet_now,
)
from tests.support.databases import ServiceDatabase
from tests.support.errors import refusal
from tests.support.services import running
from tests.support.waiting import eventually
from tollgate.wallet.v1 import wallet_pb2
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub


@pytest.fixture
async def checked(database: ServiceDatabase) -> AsyncIterator[WalletServiceStub]:
    """A wallet service that looks at its ledgers all the time."""
    settings = wallet_settings(database, check_interval_seconds=0.05)
    async with running(await build(settings)) as channel:
        yield WalletServiceStub(channel)


async def is_frozen(wallet: WalletServiceStub) -> bool:
    """Tell whether the ledger check has frozen the wallet."""
    reasons = {each.reason for each in (await wallet_now(wallet)).freezes}
    return wallet_pb2.FREEZE_REASON_INTEGRITY in reasons


async def frozen_by_check(wallet: WalletServiceStub) -> None:
    """Wait until it has."""
    await eventually(lambda: is_frozen(wallet), bool)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET description = 'another' WHERE sequence = 2",
        "UPDATE wallets SET balance_micros = balance_micros + 1000000",
        "UPDATE holds SET remaining_micros = 1 WHERE state = 'OPEN'",
        "DELETE FROM entries WHERE sequence > 8",
        ADD_ENTRY,
    ],
)
async def test_the_ledger_check_freezes_what_is_broken_until_it_is_repaired(
    checked: WalletServiceStub, superuser: Any, statement: str
) -> None:
    await write_story(checked)
    with capture_logs() as logs:
        await superuser.execute(statement)
        await frozen_by_check(checked)
    alarms = [line for line in logs if line["event"] == "ledger_check_failed"]
    assert alarms[0]["organization_id"] == ORGANIZATION
    assert alarms[0]["log_level"] == "critical"
    assert (await refusal(checked.Debit(debit(1, "late")))).reason == "WALLET_FROZEN"
    assert (await refusal(checked.UnfreezeWallet(lift_integrity()))).reason == "INVALID_STATE"
    repaired = await repair(checked)
    assert not repaired.wallet.frozen
    await checked.Debit(debit(1, "late"))
    assert (await verify(checked)).kinds == set()


async def head_was_told(logs: Sequence[Mapping[str, Any]], last: wallet_pb2.Entry) -> None:
    """Wait until an entry was logged as its wallet's last."""

    async def heads() -> list[str]:
        lines = [line["heads"] for line in logs if line["event"] == "wallet_chain_heads"]
        return [line[last.organization_id] for line in lines if last.organization_id in line]

    await eventually(heads, lambda seen: f"{last.sequence}:{last.chain.hex()}" in seen)


async def test_the_ledger_check_remembers_what_the_database_has_forgotten(
    checked: WalletServiceStub, superuser: Any
) -> None:
    with capture_logs() as logs:
        await write_story(checked)
        last = (await entries_of(checked))[0]
        await head_was_told(logs, last)
        await superuser.execute("DELETE FROM entries WHERE sequence = $1", last.sequence)
        await superuser.execute(FOLLOW_LAST_ENTRY)
        await frozen_by_check(checked)
    alarm = next(line for line in logs if line["event"] == "ledger_check_failed")
    assert alarm["kinds"] == ["TAIL_CUT"]
    # The freeze's own entry has taken the place of the one that was cut off.
    assert (await verify(checked)).kinds == {"ENTRY_CHANGED"}
    assert (await refusal(checked.UnfreezeWallet(lift_integrity()))).reason == "INVALID_STATE"
    repaired = await repair(checked)
    assert [finding.sequence for finding in repaired.findings] == [last.sequence]
    assert not repaired.wallet.frozen
    assert (await verify(checked)).kinds == set()


async def test_a_wallet_that_was_wiped_out_is_missed_by_who_has_proved_it(
    checked: WalletServiceStub, superuser: Any
) -> None:
    with capture_logs() as logs:
        await write_story(checked)
        await head_was_told(logs, (await entries_of(checked))[0])
    await superuser.execute("TRUNCATE entries, holds, payments, wallets")
    for organization_id in ("", ORGANIZATION):
        assert (await verify(checked, organization_id)).kinds == {"TAIL_CUT"}


async def test_a_wallet_that_is_clean_again_is_let_go_by_a_repair_that_writes_nothing_else(
    checked: WalletServiceStub, superuser: Any
) -> None:
    await write_story(checked)
    await superuser.execute("UPDATE entries SET actor = 'mallory' WHERE sequence = 1")
    await frozen_by_check(checked)
    await superuser.execute("UPDATE entries SET actor = '' WHERE sequence = 1")
    repaired = await repair(checked)
    assert [entry.type for entry in repaired.entries] == [wallet_pb2.ENTRY_TYPE_UNFREEZE]
    assert (list(repaired.findings), repaired.wallet.frozen) == ([], False)


async def test_proofs_under_load_see_each_wallet_whole(checked: WalletServiceStub) -> None:
    await open_wallet(checked)
    await checked.Credit(credit(1_000_000, "in"))
    is_over = asyncio.Event()

    async def spend(name: str) -> int:
        for number in itertools.count():
            if is_over.is_set():
                break
            await checked.Debit(debit(1, f"{name}-{number}"))
        return number

    with capture_logs() as logs:
        spending = [asyncio.create_task(spend(f"spender-{number}")) for number in range(8)]
        for _ in range(20):
            assert (await verify(checked, "")).kinds == set()
        is_over.set()
        spent = sum(await asyncio.gather(*spending))
    assert not [line for line in logs if line["log_level"] == "critical"]
    assert (await wallet_now(checked)).balance_micros == 1_000_000 - spent


@pytest.fixture
async def checks(database: ServiceDatabase) -> AsyncIterator[LedgerChecks]:
    """Another process's ledger checks, which look when the test says so."""
    settings = wallet_settings(database)
    url = settings.database_url
    write_database = await Database.connect(url, 2, "checks")
    report_database = await Database.connect_for_reports(url, 2, "checks")
    metrics = ServiceMetrics()
    announcer = Announcer[WalletLevel](
        level="wallet",
        database=write_database,
        source=WalletLevels(),
        observers=[],
        metrics=metrics,
        timing=settings.announcer_timing,
    )
    keys = ChainKeys([key.get_secret_value().encode() for key in settings.chain_keys])
    engine = Engine(write_database, announcer, keys, engine_limits(settings))
    reader = Reader(report_database)
    alarm = Alarm(engine, write_database, announcer, metrics.registry)
    heads = KnownHeads()
    verification = Verification(reader, engine, keys, heads)
    yield LedgerChecks(reader, verification, heads, engine, alarm)
    await write_database.close()
    await report_database.close()


@pytest.mark.parametrize(
    ("is_repaired", "events"),
    [(True, []), (False, ["ledger_check_failed"])],
    ids=["open", "secret"],
)
async def test_what_a_repair_has_given_up_is_not_missed_any_more(
    wallet: WalletServiceStub,
    checks: LedgerChecks,
    superuser: Any,
    is_repaired: bool,  # noqa: FBT001 - a parameter of pytest
    events: list[str],
) -> None:
    await write_story(wallet)
    await checks.check()
    await superuser.execute("DELETE FROM entries WHERE sequence > 8")
    if is_repaired:
        await repair(wallet)
    else:
        await superuser.execute(FOLLOW_LAST_ENTRY)
    with capture_logs() as logs:
        await checks.check()
    assert [line["event"] for line in logs if line["log_level"] == "critical"] == events
    assert await is_frozen(wallet) is not is_repaired


async def test_a_long_ledger_is_walked_through_in_several_rounds(
    wallet: WalletServiceStub, checks: LedgerChecks, database: ServiceDatabase, superuser: Any
) -> None:
    await open_wallet(wallet)
    await wallet.Credit(credit(1_000_000, "in"))
    (key,) = wallet_settings(database).chain_keys
    first = Entry(*await superuser.fetchrow("SELECT * FROM entries"))
    rest = [
        first._replace(
            sequence=number,
            balance_after_micros=first.balance_after_micros + number - 1,
            amount_micros=1,
            reference_id=f"in-{number}",
        )
        for number in range(2, 2 * ENTRIES_PER_ROUND)
    ]
    sealed = ChainKeys([key.get_secret_value().encode()]).seal(rest, first.chain or b"")
    await superuser.copy_records_to_table("entries", records=sealed)
    await superuser.execute(FOLLOW_LAST_ENTRY)
    changed = ENTRIES_PER_ROUND + ENTRIES_PER_ROUND // 3
    await superuser.execute("UPDATE entries SET actor = 'mallory' WHERE sequence = $1", changed)
    await open_wallet(wallet, "org-2")
    await wallet.Credit(credit(1, "in", "org-2"))
    alarms = []
    for _ in range(3):
        with capture_logs() as logs:
            await checks.check()
        alarms.append([line["sequence"] for line in logs if line["log_level"] == "critical"])
    assert alarms == [[], [changed], []]
    assert await is_frozen(wallet)
