"""`make verify-ledger` against a running wallet and its log."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from rich.console import Console
from structlog.testing import capture_logs

from dev.verify_ledger import Options, read_heads, verify
from services.wallet.app import build
from tests.integration.wallet.conftest import wallet_settings
from tests.integration.wallet.ledgers import FOLLOW_LAST_ENTRY, repair, write_story
from tests.integration.wallet.requests import ORGANIZATION, debit, wallet_now
from tests.support.databases import ServiceDatabase
from tests.support.services import free_address, running
from tests.support.waiting import eventually
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

CUT_TAIL = "DELETE FROM entries WHERE sequence > 5"


class Ledger:
    """A wallet with a story, and the log of its service as a file."""

    def __init__(self, wallet: WalletServiceStub, options: Options, logs: list[Any]) -> None:
        self.wallet = wallet
        self._options = options
        self._logs = logs
        self.shown = ""

    async def verify(self) -> int:
        """Return how much is wrong, and keep what was shown."""
        lines = [json.dumps(line, default=str) for line in self._logs]
        self._options.logs[0].write_text("\n".join(lines))
        screen = io.StringIO()
        finding_count = await verify(self._options, Console(file=screen, width=200))
        self.shown = screen.getvalue()
        return finding_count

    async def was_logged(self, sequence: int) -> None:
        """Wait until the log's last head is of so many entries."""

        async def sequences() -> list[int]:
            lines = [line for line in self._logs if line["event"] == "wallet_chain_heads"]
            return [int(line["heads"][ORGANIZATION].partition(":")[0]) for line in lines]

        await eventually(sequences, lambda seen: seen[-1:] == [sequence])


@asynccontextmanager
async def logged(
    database: ServiceDatabase, log: Path, logs: list[Any], organization_id: str
) -> AsyncIterator[Ledger]:
    """Run a service that tells its heads, and hand out its ledger."""
    address = free_address()
    settings = wallet_settings(database, listen_address=address, check_interval_seconds=0.05)
    async with running(await build(settings)) as channel:
        yield Ledger(
            WalletServiceStub(channel), Options(address, None, organization_id, (log,)), logs
        )


@pytest.fixture(params=["", ORGANIZATION], ids=["all", "one"])
async def ledger(
    request: pytest.FixtureRequest, database: ServiceDatabase, tmp_path: Path
) -> AsyncIterator[Ledger]:
    """A ledger that was written, and logged."""
    with capture_logs() as logs:
        async with logged(database, tmp_path / "wallet.log", logs, request.param) as it:
            await write_story(it.wallet)
            await it.was_logged((await wallet_now(it.wallet)).entry_count)
            yield it


async def test_a_ledger_in_order_is_told_so(ledger: Ledger) -> None:
    assert await ledger.verify() == 0
    assert "The ledger is in order." in ledger.shown
    assert "1/1" in ledger.shown


async def test_what_was_cut_off_is_held_against_the_log_until_it_is_repaired(
    ledger: Ledger, database: ServiceDatabase
) -> None:
    connection = await asyncpg.connect(database.superuser_url)
    await connection.execute(CUT_TAIL)
    await connection.close()
    assert await ledger.verify() >= 2
    assert "WRONG org-1: " in ledger.shown
    await repair(ledger.wallet)
    assert await ledger.verify() == 0
    assert "repaired org-1: " in ledger.shown


async def test_what_a_service_has_forgotten_its_log_has_not(
    database: ServiceDatabase, superuser: Any, tmp_path: Path
) -> None:
    log = tmp_path / "wallet.log"
    with capture_logs() as logs:
        async with logged(database, log, logs, "") as ledger:
            await write_story(ledger.wallet)
            await ledger.wallet.Debit(debit(1, "last"))
            last = (await wallet_now(ledger.wallet)).entry_count
            await ledger.was_logged(last)
        await superuser.execute("DELETE FROM entries WHERE sequence = $1", last)
        await superuser.execute(FOLLOW_LAST_ENTRY)
        # Of the next process nobody can expect that it knows.
        async with logged(database, log, logs, "") as ledger:
            await ledger.was_logged(last - 1)
            assert await ledger.verify() == 1
            assert f"TAIL_CUT at entry {last}: " in ledger.shown


def line(event: str, **fields: Any) -> str:
    return json.dumps({"event": event, **fields})


def heads_in(*lines: str) -> list[tuple[str, int, bytes]]:
    return [(each.organization_id, each.sequence, each.chain) for each in read_heads(lines)]


def test_the_highest_head_since_the_last_repair_counts() -> None:
    assert heads_in(
        line("wallet_chain_heads", time="3", heads={"org-1": "9:0a"}),
        line("wallet_chain_heads", time="1", heads={"org-1": "3:01", "org-2": "4:02"}),
        line("wallet_chain_heads", time="2", heads={"org-3": "7:03"}),
        line("wallet_repaired", time="4", organization_id="org-2", sequence=3, chain="04"),
        line("service_started"),
        '{"event": "wallet_chain_heads", "hea',
        "no JSON",
    ) == [("org-1", 9, b"\x0a"), ("org-2", 3, b"\x04"), ("org-3", 7, b"\x03")]


def test_a_shorter_head_does_not_make_a_longer_one_forgotten() -> None:
    told = ["9:0a", "8:0b", "8:0b", "9:0a", "9:0c", "12:0d", "14:0e"]
    lines = [
        line("wallet_chain_heads", time=str(time), heads={"org-1": head})
        for time, head in enumerate(told)
    ]
    longer = [("org-1", 9, b"\x0a"), ("org-1", 8, b"\x0b"), ("org-1", 9, b"\x0c")]
    assert heads_in(*lines[:2]) == longer[:2]
    assert heads_in(*lines[:3]) == longer[:2]
    # What has grown over the cut since does not hide it.
    assert heads_in(*lines) == [("org-1", 9, b"\x0a"), ("org-1", 14, b"\x0e")]


def test_what_was_logged_before_a_service_was_started_is_stood_for_by_nothing_after_it() -> None:
    """It may have been cut off, and have grown again, while nobody knew of it."""
    told = ["7:09", "9:0a", "", "12:0d", "14:0e", "", "14:0e", "15:0f"]
    lines = [
        line("wallet_chain_heads", time=str(time), heads={"org-1": head})
        if head
        else line("service_started", time=str(time))
        for time, head in enumerate(told)
    ]
    assert [(sequence, chain) for _, sequence, chain in heads_in(*lines)] == [
        (9, b"\x0a"),
        (14, b"\x0e"),
        (15, b"\x0f"),
    ]
