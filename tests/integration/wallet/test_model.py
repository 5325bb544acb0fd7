"""Random commands by many callers at once, held against a model of what a wallet is.

MODEL_COMMANDS=… asks each run for more of them, MODEL_SEED=… for the same ones again.
"""

import asyncio
import os
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.databases import ServiceDatabase
from tests.support.locks import deadlock_count
from tests.support.searching import SEARCH_TIMES
from tests.support.wallet_load.doors import door_of, wallet_process
from tests.support.wallet_load.history import History
from tests.support.wallet_load.load import RandomLoad
from tests.support.wallet_replay.replay import hold_against_model

COMMANDS = round(20_000 * min(1, SEARCH_TIMES))
KILL_COUNT = 5

# What each 10 000 commands of a run must have seen, at least, to mean anything: rpcs that were
# accepted, entries, answers and refusals.
LEAST_PER = 10_000
LEAST = {
    "Debit": 1_500,
    "BatchDebit": 40,
    "Credit": 500,
    "AdjustBalance": 80,
    "ApplyPayment": 250,
    "PlaceHold": 200,
    "CaptureHold": 80,
    "ReleaseHold": 80,
    "ExpireHolds": 40,
    "final capture": 30,
    "excess capture": 10,
    "late capture": 10,
    "FreezeWallet": 10,
    "UnfreezeWallet": 10,
    "ReportSubscription": 4,
    "UpdateWallet": 5,
    "PAYMENT": 40,
    "REVERSAL": 80,
    "REVERSAL_RETURNED": 40,
    "AT_RISK": 80,
    "AT_RISK_ENDED": 20,
    "debt by ApplyPayment": 5,
    "debt by CaptureHold": 1,
    "DEBT_REPAYMENT": 10,
    "replayed": 150,
    "REFERENCE_CONFLICT": 80,
    "INSUFFICIENT_FUNDS": 300,
    "WALLET_FROZEN": 100,
    "HOLD_NOT_FOUND": 10,
    "HOLD_NOT_OPEN CAPTURED": 50,
    "HOLD_NOT_OPEN RELEASED": 50,
    "HOLD_NOT_OPEN EXPIRED": 1,
    "CAPTURE_EXCEEDS_HOLD": 25,
    "CURRENCY_MISMATCH": 20,
    "INVALID_ARGUMENT": 30,
    "BALANCE_LIMIT_EXCEEDED": 4,
}
# The kills must have taken answers from callers. Where nobody is killed, only a machine that stood
# still may have.
LOST_MIN, LOST_SHARE_MAX = 50, 0.02

# Longer than other tests, and as long as it takes where more commands are asked for.
pytestmark = pytest.mark.timeout(0 if os.environ.get("MODEL_COMMANDS") else 240)


@contextmanager
def named_seed() -> Iterator[int]:
    """Give a seed, and name it where the test fails."""
    seed = int(os.environ.get("MODEL_SEED") or secrets.randbits(32))
    try:
        yield seed
    except BaseException as error:
        error.add_note(f"MODEL_SEED={seed}")
        raise


def commands_per_run() -> int:
    """Return how many commands each of the runs has."""
    return int(os.environ.get("MODEL_COMMANDS") or COMMANDS)


@pytest.mark.long
async def test_a_wallet_that_is_killed_again_and_again_does_what_the_model_does(
    database: ServiceDatabase,
) -> None:
    process, history = wallet_process(database), History()
    with named_seed() as seed:
        async with door_of(process) as door:
            load = RandomLoad(history, [door], seed)
            async with process.running():
                await load.open_wallets()
            calling = asyncio.create_task(load.run(commands_per_run()))
            for kill in range(1, KILL_COUNT + 1):
                async with process.running():
                    await load.reach(kill * commands_per_run() // (KILL_COUNT + 1))
            async with process.running():
                await calling
                done = await hold_against_model(door, load.wallets, history)
        require_enough(done)
        assert history.lost_count >= LOST_MIN


@pytest.mark.long
async def test_two_wallets_on_one_database_do_what_the_model_does(
    database: ServiceDatabase,
) -> None:
    one, other = wallet_process(database), wallet_process(database)
    history = History()
    with named_seed() as seed:
        async with (
            one.running(),
            other.running(),
            door_of(one) as door,
            door_of(other) as next_door,
        ):
            load = RandomLoad(history, [door, next_door], seed)
            await load.open_wallets()
            await load.run(commands_per_run())
            done = await hold_against_model(door, load.wallets, history)
        require_enough(done)
        assert history.lost_count <= commands_per_run() * LOST_SHARE_MAX
    assert await deadlock_count(database) == 0


def require_enough(done: Counter[str]) -> None:
    """Demand that each kind happened often enough to mean something; in a short run by chance."""
    scale = commands_per_run() // LEAST_PER
    short = {name: done[name] for name, count in LEAST.items() if done[name] < count * scale}
    assert not short, f"too few: {short} of {done}"
