"""The service looks at its ledgers by itself, and freezes what is broken until it is repaired."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from structlog.testing import capture_logs

from libs.announcing.announcer import Announcer
from libs.database import Database, DatabaseUnavailableError
from libs.levels import WalletLevel
from libs.metrics import ServiceMetrics
from services.wallet.app import build, engine_limits
from services.wallet.config import WalletSettings
from services.wallet.domain.chain import ChainKeys
from services.wallet.domain.commands import SetFreeze
from services.wallet.domain.overview import LedgerCheck
from services.wallet.domain.values import Entry, EntryType, FreezeReason
from services.wallet.operations.alarm import Alarm
from services.wallet.operations.checks import DOUBTED_FROM, RECENT_ENTRIES, LedgerChecks
from services.wallet.operations.engine import Engine
from services.wallet.operations.heads import KnownHeads
from services.wallet.operations.levels import WalletLevels
from services.wallet.operations.reader import Reader
from services.wallet.operations.spending import Spending
from services.wallet.operations.verification import Verification
from tests.integration.wallet.conftest import wallet_settings
from tests.integration.wallet.ledgers import (
    ADD_ENTRY,
    FOLLOW_LAST_ENTRY,
    kind_of,
    lift_integrity,
    repair,
    verify,
    write_story,
)
from tests.integration.wallet.requests import (
    ORGANIZATION,
    create,
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
from tollgate.wallet.v1 import ledger_pb2, wallet_pb2
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

# So few that a test may fill several rounds.
ENTRIES_PER_ROUND = 1_500
LAST_ENTRY = "SELECT * FROM entries WHERE organization_id = $1 ORDER BY sequence DESC LIMIT 1"


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
        await checked.Debit(debit(1, "last"))
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
        last = (await entries_of(checked))[0]
        await head_was_told(logs, last)
    await superuser.execute("TRUNCATE entries, holds, payments, wallets")
    told = ledger_pb2.ChainHead(
        organization_id=ORGANIZATION, sequence=last.sequence, chain=last.chain
    )
    for organization_id in ("", ORGANIZATION):
        for heads in ((), (told,)):
            (missed,) = (await verify(checked, organization_id, heads)).findings
            assert (kind_of(missed), missed.sequence) == ("TAIL_CUT", last.sequence)


async def test_a_wallet_that_is_clean_again_is_let_go_by_a_repair_that_writes_nothing_else(
    checked: WalletServiceStub, superuser: Any
) -> None:
    await write_story(checked)
    await superuser.execute("UPDATE entries SET actor = 'mallory' WHERE sequence = 1")
    await frozen_by_check(checked)
    await superuser.execute("UPDATE entries SET actor = '' WHERE sequence = 1")
    repaired = await repair(checked)
    # Or the check itself has: it looks again at what it has just frozen.
    assert {entry.type for entry in repaired.entries} <= {wallet_pb2.ENTRY_TYPE_UNFREEZE}
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


class Process(NamedTuple):
    """Another process's engine, and its ledger checks, which look when the test says so."""

    engine: Engine
    heads: KnownHeads
    checks: LedgerChecks


@pytest.fixture
async def process(database: ServiceDatabase) -> AsyncIterator[Process]:
    """A process beside the service."""
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
    registry = metrics.registry
    engine = Engine(
        write_database,
        announcer,
        keys,
        engine_limits(settings),
        spending=Spending(registry),
        registry=registry,
    )
    reader = Reader(report_database, 2)
    alarm = Alarm(engine, write_database, announcer, registry)
    heads = KnownHeads()
    verification = Verification(reader, engine, keys, heads)
    yield Process(
        engine,
        heads,
        LedgerChecks(
            reader,
            verification,
            heads,
            engine,
            alarm,
            entries_per_round=ENTRIES_PER_ROUND,
            registry=registry,
            clock=lambda: datetime.now(UTC),
        ),
    )
    await write_database.close()
    await report_database.close()


@pytest.fixture
def checks(process: Process) -> LedgerChecks:
    """Its ledger checks."""
    return process.checks


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


FOLLOW_LAST_ENTRY_OF_ITS_OWN = (
    f"{FOLLOW_LAST_ENTRY} WHERE wallets.organization_id = '{ORGANIZATION}'"
)
TAMPER = "UPDATE entries SET actor = 'mallory' WHERE organization_id = $1 AND sequence = $2"


class HotWallet:
    """A wallet that grows in leaps, past the service but as the service would have written it."""

    def __init__(self, superuser: Any, settings: WalletSettings) -> None:
        (key,) = settings.chain_keys
        self._superuser = superuser
        self._keys = ChainKeys([key.get_secret_value().encode()])

    async def grow(self, count: int) -> None:
        """Append so many credits of 1."""
        last = Entry(*await self._superuser.fetchrow(LAST_ENTRY, ORGANIZATION))
        more = [
            Entry(
                ORGANIZATION,
                last.sequence + number,
                1,
                last.balance_after_micros + number,
                last.held_after_micros,
                last.owed_after_micros,
                last.create_time,
                EntryType.TOP_UP,
                last.currency_code,
                f"in-{last.sequence + number}",
                0,
            )
            for number in range(1, count + 1)
        ]
        sealed = self._keys.seal(more, last.chain or b"")
        await self._superuser.copy_records_to_table("entries", records=sealed)
        await self._superuser.execute(FOLLOW_LAST_ENTRY_OF_ITS_OWN)


@pytest.fixture
async def hot(wallet: WalletServiceStub, database: ServiceDatabase, superuser: Any) -> HotWallet:
    """A wallet with two rounds' worth of entries, and another one after it."""
    for organization_id in (ORGANIZATION, "org-2"):
        await open_wallet(wallet, organization_id)
        await wallet.Credit(credit(1, "in", organization_id))
    hot = HotWallet(superuser, wallet_settings(database))
    await hot.grow(2 * ENTRIES_PER_ROUND)
    return hot


async def alarms_of(checks: LedgerChecks) -> list[tuple[str, int]]:
    """Do one round; return whose wallets have given alarm, and at which entry."""
    with capture_logs() as logs:
        await checks.check()
    alarms = [line for line in logs if line["log_level"] == "critical"]
    assert {line["event"] for line in alarms} <= {"ledger_check_failed"}
    return [(line["organization_id"], line["sequence"]) for line in alarms]


async def test_a_long_ledger_is_walked_through_in_several_rounds(
    wallet: WalletServiceStub, checks: LedgerChecks, hot: HotWallet, superuser: Any
) -> None:
    changed = ENTRIES_PER_ROUND + ENTRIES_PER_ROUND // 3
    await superuser.execute(TAMPER, ORGANIZATION, changed)
    assert [await alarms_of(checks) for _ in range(3)] == [[], [(ORGANIZATION, changed)], []]
    assert await is_frozen(wallet)


MEND_SEALS = """
UPDATE entries SET actor = '' WHERE sequence = 1 AND organization_id <> 'org-4'
"""
FROZEN = "SELECT organization_id FROM wallets WHERE freezes <> '[]' ORDER BY organization_id"


async def test_strange_seals_in_many_wallets_at_once_give_alarm_and_freeze_none(
    wallet: WalletServiceStub, checks: LedgerChecks, superuser: Any
) -> None:
    organizations = [f"org-{number}" for number in range(DOUBTED_FROM + 1)]
    for organization_id in organizations:
        await write_story(wallet, organization_id)

    async def frozen() -> list[str]:
        return [row["organization_id"] for row in await superuser.fetch(FROZEN)]

    # As from a process with a key that this one does not know.
    await superuser.execute("UPDATE entries SET actor = 'mallory' WHERE sequence = 1")
    # And that is no matter of keys.
    await superuser.execute(
        "UPDATE wallets SET balance_micros = balance_micros + 1 WHERE organization_id = 'org-2'"
    )
    for _ in range(2):
        with capture_logs() as logs:
            await checks.check()
        events = Counter(line["event"] for line in logs if line["log_level"] == "critical")
        assert events == {"ledger_check_doubts_its_keys": 1, "ledger_check_failed": 6}
        assert await frozen() == ["org-2"]
        assert checks.standing.doubts_its_keys
    # The others are looked at until they are in order, or so few that there is no doubt.
    await superuser.execute(MEND_SEALS)
    await checks.check()
    assert await frozen() == ["org-2", "org-4"]
    assert not checks.standing.doubts_its_keys


async def test_doubted_wallets_are_looked_at_in_each_round(
    wallet: WalletServiceStub, process: Process, hot: HotWallet, superuser: Any
) -> None:
    """Wherever the walk is: for some rounds it is busy with the first wallet."""
    for number in range(2, DOUBTED_FROM + 2):
        await open_wallet(wallet, f"org-{number}")
        await wallet.Credit(credit(1, "first", f"org-{number}"))
        await superuser.execute(TAMPER, f"org-{number}", 1)
        command = SetFreeze(FreezeReason.OPERATOR, "", "", "anna")
        await process.engine.execute(f"org-{number}", command)
    for _ in range(2):
        with capture_logs() as logs:
            await process.checks.check()
        assert "ledger_check_doubts_its_keys" in {line["event"] for line in logs}


async def test_a_wallet_that_grows_faster_than_it_is_read_keeps_the_walk_from_no_other(
    checks: LedgerChecks, hot: HotWallet, superuser: Any
) -> None:
    await superuser.execute(TAMPER, "org-2", 1)
    alarms = []
    for _ in range(4):
        alarms += await alarms_of(checks)
        await hot.grow(2 * ENTRIES_PER_ROUND)
    assert alarms == [("org-2", 1)]


async def test_the_walk_makes_nobody_forget_what_was_proved_behind_it(
    process: Process, hot: HotWallet
) -> None:
    assert await alarms_of(process.checks) == []
    for number in range(3):
        await hot.grow(2 * ENTRIES_PER_ROUND)
        command = SetFreeze(FreezeReason.OPERATOR, str(number), "", "anna")
        effect = await process.engine.execute(ORGANIZATION, command)
        assert await alarms_of(process.checks) == []
        known = process.heads.get(ORGANIZATION)
        assert known is not None
        assert known.sequence == effect.wallet.entry_count


async def test_what_is_wrong_in_a_growing_wallet_gives_alarm_as_soon_as_it_is_read(
    checks: LedgerChecks, hot: HotWallet, superuser: Any
) -> None:
    await superuser.execute(TAMPER, ORGANIZATION, 5)
    assert await alarms_of(checks) == [(ORGANIZATION, 5)]


async def test_what_a_later_repair_excuses_gives_no_alarm(
    wallet: WalletServiceStub, checks: LedgerChecks, hot: HotWallet, superuser: Any
) -> None:
    await superuser.execute(TAMPER, ORGANIZATION, 5)
    await repair(wallet)
    await hot.grow(ENTRIES_PER_ROUND)
    assert [await alarms_of(checks) for _ in range(5)] == [[]] * 5
    # What a repair has seen is not to be changed again.
    await superuser.execute(TAMPER, ORGANIZATION, ENTRIES_PER_ROUND)
    assert [await alarms_of(checks) for _ in range(7)] != [[]] * 7


async def test_a_change_is_proved_from_where_was_proved_before(
    process: Process, hot: HotWallet, superuser: Any
) -> None:
    for _ in range(4):
        assert await alarms_of(process.checks) == []
    await hot.grow(RECENT_ENTRIES + 200)
    # Neither among the last entries, nor where the walk is now.
    changed = 2 * ENTRIES_PER_ROUND + 50
    await superuser.execute(TAMPER, ORGANIZATION, changed)
    await process.engine.execute(ORGANIZATION, SetFreeze(FreezeReason.OPERATOR, "", "", "anna"))
    assert await alarms_of(process.checks) == [(ORGANIZATION, changed)]


async def test_how_the_checks_stand_is_told(
    wallet: WalletServiceStub, checks: LedgerChecks, superuser: Any
) -> None:
    assert checks.standing == LedgerCheck()
    await write_story(wallet)
    begin = datetime.now(UTC)
    await checks.check()
    first = checks.standing
    assert not first.doubts_its_keys
    for time in (first.last_round_time, first.last_walk_time):
        assert time is not None
        assert begin <= time <= datetime.now(UTC)

    await superuser.execute("ALTER TABLE entries RENAME TO entries_away")
    with pytest.raises(DatabaseUnavailableError):
        await checks.check()
    assert checks.standing == first
    await superuser.execute("ALTER TABLE entries_away RENAME TO entries")
    await checks.check()
    second = checks.standing
    assert second.last_round_time != first.last_round_time

    # Nothing that the wallet writes, so that to look at it is a defect: the round was none.
    await superuser.execute("UPDATE wallets SET freezes = '[{}]'")
    await wallet.CreateWallet(create("org-2"))
    with capture_logs() as logs:
        await checks.check()
    assert "ledger_check_defect" in {line["event"] for line in logs}
    assert checks.standing.last_round_time == second.last_round_time
