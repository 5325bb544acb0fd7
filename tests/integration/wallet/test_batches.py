"""What rides in one transaction: each command is answered as if it had been alone."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import pytest
import structlog

from services.wallet.app import BATCHES_AT_ONCE, SINGLE_WALLET_BATCHES_AT_ONCE, build
from tests.integration.wallet.conftest import wallet_settings
from tests.integration.wallet.requests import (
    ORGANIZATION,
    credit,
    debit,
    entries_of,
    fill_queue,
    many_debits,
    open_wallet,
    wallet_now,
)
from tests.support.databases import ServiceDatabase, ServiceDatabases
from tests.support.errors import read_refusal, read_status, refusal
from tests.support.locks import lock_waits, rows_locked
from tests.support.searching import times
from tests.support.services import running
from tests.support.waiting import eventually
from tests.support.wallet_load.doors import door_of, wallet_process
from tests.support.wallet_load.history import History
from tests.support.wallet_load.load import RandomLoad
from tests.support.wallet_load.requests import Acquaintance, RandomRequests
from tests.support.wallet_model.values import Referenced
from tests.support.wallet_replay.replay import hold_against_model
from tollgate.wallet.v1 import wallet_pb2
from tollgate.wallet.v1.wallet_service_pb2 import (
    BatchDebitRequest,
    BatchDebitResult,
    DebitRequest,
)
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

REFERENCE_COUNT = 60
ROUNDS = 40
ROUND_SIZE = 50
CUT_COUNT = times(20)
FLOOD_COUNT = max(BATCHES_AT_ONCE, SINGLE_WALLET_BATCHES_AT_ONCE)
OTHER = "org-2"


@pytest.mark.long
async def test_a_reference_has_one_effect_and_one_answer_wherever_it_is_repeated(
    database: ServiceDatabase,
) -> None:
    """Few references, each with several contents: in one batch, in many, in two processes."""
    one, other = wallet_process(database), wallet_process(database)
    chance, history = random.Random(7), History()
    async with one.running(), other.running(), door_of(one) as door, door_of(other) as next_door:
        load = RandomLoad(history, [door, next_door], seed=7)
        await load.open_wallets()
        wallets = load.wallets[:2]
        contents = [content for wallet in wallets for content in rivals(chance, wallet)]
        for _ in range(ROUNDS):
            volley = [*chance.choices(contents, k=ROUND_SIZE), batch_of(chance, contents)]
            doors = chance.choices([door, next_door], k=len(volley))
            await asyncio.gather(*map(history.ask, doors, volley))
        done = await hold_against_model(door, load.wallets, history)
    effects = done["Debit"] + done["Credit"] + done["PlaceHold"] - len(load.wallets)
    assert effects == REFERENCE_COUNT * len(wallets)
    assert done["replayed"] > effects
    assert done["REFERENCE_CONFLICT"] > effects


def rivals(chance: random.Random, wallet: Acquaintance) -> list[Referenced]:
    """Return different contents for each of a few references."""
    requests = RandomRequests(chance, wallet)
    contents: list[Referenced] = []
    for number in range(REFERENCE_COUNT):
        first: Referenced = debit(1, f"debit-{number}", wallet.organization_id)
        if number % 3 == 0:
            first = credit(9, f"credit-{number}", wallet.organization_id)
        contents.extend((first, *(requests.contradiction(first) for _ in range(2))))
    return contents


def batch_of(chance: random.Random, contents: Sequence[Referenced]) -> BatchDebitRequest:
    """Return a batch in which many debits stand twice."""
    debits = [each for each in contents if isinstance(each, DebitRequest)]
    return BatchDebitRequest(debits=chance.choices(debits, k=ROUND_SIZE))


async def test_a_bad_command_does_not_touch_its_neighbours(wallet: WalletServiceStub) -> None:
    await open_wallet(wallet)
    await wallet.Credit(credit(10_000, "in"))
    bad = {
        "INVALID_ARGUMENT": [debit(0, "zero"), debit(-1, "minus"), debit(1, "a space")],
        "WALLET_NOT_FOUND": [debit(1, "lost", "nobody")],
        "CURRENCY_MISMATCH": [debit(1, "euro")],
        "INSUFFICIENT_FUNDS": [debit(10_001, "much"), debit(2**63 - 1, "most")],
        "REFERENCE_CONFLICT": [debit(1, "in")],
    }
    bad["CURRENCY_MISMATCH"][0].currency_code = "EUR"
    debits = [debit(1, f"good-{number}") for number in range(900)]
    expected = ["OK"] * len(debits)
    chance = random.Random(7)
    for reason, requests in bad.items():
        for request in requests * 3:
            position = chance.randrange(len(debits))
            debits.insert(position, request)
            expected.insert(position, reason)

    with structlog.testing.capture_logs() as lines:
        answer = await wallet.BatchDebit(BatchDebitRequest(debits=debits))
    alone = await asyncio.gather(*(outcome_of(wallet, request) for request in debits))

    assert [reason_of(result) for result in answer.results] == expected
    assert alone == expected
    assert [result.response.replayed for result in answer.results].count(True) == 0
    assert (await wallet_now(wallet)).balance_micros == 9_100
    assert {
        (line["reason"], line["organization_id"]): line["count"]
        for line in lines
        if line["event"] == "batch_items_refused"
    } == {
        (reason, request.organization_id): 3 * len(requests)
        for reason, requests in bad.items()
        for request in requests
    }


def reason_of(result: BatchDebitResult) -> str:
    """Return OK or the reason of the refusal."""
    if result.HasField("response"):
        return "OK"
    found = read_status(result.error)
    return found.reason or found.code.name


async def outcome_of(wallet: WalletServiceStub, request: DebitRequest) -> str:
    """Debit; return OK or the reason of the refusal."""
    try:
        await wallet.Debit(request)
    except grpc.aio.AioRpcError as error:
        return read_refusal(error).reason or error.code().name
    return "OK"


async def test_a_wallet_that_cannot_be_written_to_fails_alone_and_is_named(
    wallet: WalletServiceStub, superuser: Any
) -> None:
    """One cannot be read, one was set back by an entry: whoever rides with them notices nothing."""
    names = [f"org-{number}" for number in range(20)]
    for name in names:
        await open_wallet(wallet, name)
        for reference_id in ("in", "more"):
            await wallet.Credit(credit(10, reference_id, name))
    unreadable, set_back = poisoned = names[3], names[11]
    await superuser.execute(
        "UPDATE wallets SET freezes = '[{}]' WHERE organization_id = $1", unreadable
    )
    await superuser.execute(
        "UPDATE wallets SET last_sequence = 1 WHERE organization_id = $1", set_back
    )
    debits = [debit(1, f"msg-{number}", name) for name in names for number in range(3)]
    with structlog.testing.capture_logs() as lines:
        answer = await wallet.BatchDebit(BatchDebitRequest(debits=debits))
    for request, result in zip(debits, answer.results, strict=True):
        expected = "INTERNAL" if request.organization_id in poisoned else "OK"
        assert reason_of(result) == expected
    assert any(line["event"] == "batch_is_split" for line in lines)
    named = [line["organization_id"] for line in lines if line["event"] == "command_failed"]
    assert sorted(named) == sorted(poisoned * 3)
    rows = await superuser.fetch("SELECT organization_id, count(*) FROM entries GROUP BY 1")
    assert dict(rows) == {name: 2 if name in poisoned else 5 for name in names}


async def test_callers_that_go_neither_block_nor_undo_others(
    wallet: WalletServiceStub, database: ServiceDatabase
) -> None:
    """Some ride in a transaction that waits for a lock, some wait for the next one; half go."""
    await open_wallet(wallet)
    await wallet.Credit(credit(10_000, "in"))
    async with rows_locked(database, [ORGANIZATION]):
        riding = [leave_or_stay(wallet, "riding", number) for number in range(50)]
        await eventually(lambda: lock_waits(database), lambda count: count == 1)
        waiting = [leave_or_stay(wallet, "waiting", number) for number in range(50)]
        await asyncio.gather(*riding[::2], *waiting[::2])
    outcomes = await asyncio.gather(*riding, *waiting)

    assert outcomes == ["DEADLINE_EXCEEDED", "OK"] * 50
    written = {each.reference_id for each in await all_debits(wallet)}
    assert written >= {f"{group}-{n}" for group in ("riding", "waiting") for n in range(1, 50, 2)}
    assert not written & {f"waiting-{number}" for number in range(0, 50, 2)}
    again = [outcome_of(wallet, debit(1, f"riding-{number}")) for number in range(50)]
    assert await asyncio.gather(*again) == ["OK"] * 50
    assert len(await all_debits(wallet)) == 75
    assert (await wallet_now(wallet)).balance_micros == 10_000 - 75


def leave_or_stay(wallet: WalletServiceStub, group: str, number: int) -> "asyncio.Task[str]":
    """Debit; every second caller goes before it can be answered."""
    request = debit(1, f"{group}-{number}")
    timeout_seconds = 0.3 if number % 2 == 0 else 30.0

    async def ask() -> str:
        try:
            await wallet.Debit(request, timeout=timeout_seconds)
        except grpc.aio.AioRpcError as error:
            return read_refusal(error).reason or error.code().name
        return "OK"

    return asyncio.ensure_future(ask())


async def all_debits(wallet: WalletServiceStub) -> Sequence[wallet_pb2.Entry]:
    return await entries_of(wallet, type=wallet_pb2.ENTRY_TYPE_DEBIT, page_size=500)


@pytest.mark.long
@pytest.mark.timeout(180)
async def test_a_database_in_trouble_is_never_told_as_a_refusal(
    database: ServiceDatabase, databases: ServiceDatabases
) -> None:
    """Connections are cut and rows held under load; all else is as the model says."""
    process, history = wallet_process(database), History()
    async with process.running(), door_of(process) as door:
        load = RandomLoad(history, [door], seed=7)
        await load.open_wallets()
        calling = asyncio.create_task(load.run())
        for number in range(1, CUT_COUNT + 1):
            await load.reach(number * 200)
            await databases.kill_connections(database)
        # Each cut hits a transaction of many callers: what may pass is tried again for them.
        assert history.lost_count < CUT_COUNT
        async with rows_locked(database, ["org-hot-1"]):
            lost_count = history.lost_count
            await eventually(lambda: count_lost(history), lambda count: count > lost_count, 60.0)
        load.end()
        await calling
        await hold_against_model(door, load.wallets, history)


async def count_lost(history: History) -> int:
    return history.lost_count


async def test_no_answer_tells_a_wallet_from_before_its_own_entry(
    wallet: WalletServiceStub, database: ServiceDatabase
) -> None:
    """Two calls wait for one wallet: the second one is carried out in two parts."""
    await open_wallet(wallet)
    await wallet.Credit(credit(10_000, "in"))
    async with rows_locked(database, [ORGANIZATION]):
        riding = asyncio.ensure_future(wallet.Debit(debit(1, "riding")))
        await eventually(lambda: lock_waits(database), lambda count: count == 1)
        calls = [wallet.BatchDebit(many_debits(name, 600)) for name in ("one", "other")]
        waiting = [asyncio.ensure_future(call) for call in calls]
        await wallet_now(wallet)
    await riding
    for answer in await asyncio.gather(*waiting):
        told = [result.response for result in answer.results]
        assert all(each.wallet.entry_count >= each.entry.sequence for each in told)


@pytest.fixture
async def narrow_wallet(database: ServiceDatabase) -> AsyncIterator[WalletServiceStub]:
    """A wallet in which few commands may wait."""
    limits = {"queue_commands_max": 1_500, "queue_commands_per_wallet_max": 1_000}
    async with running(await build(wallet_settings(database, **limits))) as channel:
        yield WalletServiceStub(channel)


async def test_a_full_queue_refuses_at_once_and_nothing_is_done(
    narrow_wallet: WalletServiceStub, database: ServiceDatabase
) -> None:
    for organization_id in (ORGANIZATION, OTHER):
        await open_wallet(narrow_wallet, organization_id)
        await narrow_wallet.Credit(credit(10_000, "in", organization_id))
    async with rows_locked(database, [ORGANIZATION]):
        riding = asyncio.ensure_future(narrow_wallet.BatchDebit(many_debits("riding", 1_000)))
        await eventually(lambda: lock_waits(database), lambda count: count == 1)
        waiting = await fill_queue(narrow_wallet, ORGANIZATION, 1_000)
        full = await refusal(narrow_wallet.Debit(debit(1, "full")))
        whole = await refusal(narrow_wallet.BatchDebit(many_debits("other", 550, OTHER)))
        await narrow_wallet.BatchDebit(many_debits("other", 450, OTHER))
        assert not riding.done()
        assert not waiting.done()
    for found in (full, whole):
        assert found.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert found.reason == "OVERLOADED"
        assert found.retry_seconds
    for answer in await asyncio.gather(riding, waiting):
        assert {reason_of(result) for result in answer.results} == {"OK"}
    assert not (await narrow_wallet.Debit(debit(1, "full"))).replayed
    assert (await wallet_now(narrow_wallet)).balance_micros == 10_000 - 2_001


async def test_what_a_caller_brings_counts_among_what_waits_for_its_wallet(
    narrow_wallet: WalletServiceStub, database: ServiceDatabase
) -> None:
    await open_wallet(narrow_wallet)
    await narrow_wallet.Credit(credit(10_000, "in"))
    async with rows_locked(database, [ORGANIZATION]):
        riding = asyncio.ensure_future(narrow_wallet.Debit(debit(1, "riding")))
        await eventually(lambda: lock_waits(database), lambda count: count == 1)
        waiting = await fill_queue(narrow_wallet, ORGANIZATION, 600)
    await asyncio.gather(riding, waiting)
    assert (await wallet_now(narrow_wallet)).balance_micros == 10_000 - 601


async def test_floods_of_some_wallets_leave_a_turn_for_others(wallet: WalletServiceStub) -> None:
    """As many wallets as there are batches at once, each with more callers than a batch takes."""
    flooded = [f"org-flooded-{number}" for number in range(FLOOD_COUNT)]
    for organization_id in (ORGANIZATION, *flooded):
        await open_wallet(wallet, organization_id)
        await wallet.Credit(credit(10**9, "in", organization_id))
    floods = [
        asyncio.ensure_future(flood(wallet, organization_id, number))
        for organization_id in flooded
        for number in range(3)
    ]
    for number in range(5):
        await wallet.Debit(debit(1, f"msg-{number}"), timeout=15.0)
    assert not any(each.done() for each in floods)
    for each in floods:
        each.cancel()


async def flood(wallet: WalletServiceStub, organization_id: str, number: int) -> None:
    """Debit without end, a thousand at a time."""
    for turn in itertools.count():
        await wallet.BatchDebit(many_debits(f"flood-{number}-{turn}", 1_000, organization_id))
