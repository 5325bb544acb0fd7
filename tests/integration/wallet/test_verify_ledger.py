"""`make verify-ledger` against a running wallet and its log."""

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from rich.console import Console
from structlog.testing import capture_logs

from dev.verify_ledger import Options, read_heads, verify
from services.wallet.app import build
from tests.integration.wallet.conftest import wallet_settings
from tests.integration.wallet.ledgers import repair, write_story
from tests.integration.wallet.requests import ORGANIZATION
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

    async def was_logged(self) -> None:
        """Wait until the heads of the story are in the log."""

        async def heads() -> list[Any]:
            return [line for line in self._logs if line["event"] == "wallet_chain_heads"]

        await eventually(heads, bool)


@pytest.fixture(params=["", ORGANIZATION], ids=["all", "one"])
async def ledger(
    request: pytest.FixtureRequest, database: ServiceDatabase, tmp_path: Path
) -> AsyncIterator[Ledger]:
    """A ledger that was written, and logged."""
    address = free_address()
    settings = wallet_settings(database, listen_address=address, check_interval_seconds=0.05)
    with capture_logs() as logs:
        async with running(await build(settings)) as channel:
            wallet = WalletServiceStub(channel)
            await write_story(wallet)
            options = Options(address, request.param, (tmp_path / "wallet.log",))
            ledger = Ledger(wallet, options, logs)
            await ledger.was_logged()
            yield ledger


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


def line(event: str, **fields: Any) -> str:
    return json.dumps({"event": event, **fields})


def test_the_last_head_or_repair_counts() -> None:
    lines = [
        line("wallet_chain_heads", time="3", heads={"org-1": "9:0a"}),
        line("wallet_chain_heads", time="1", heads={"org-1": "3:01", "org-2": "4:02"}),
        line("wallet_chain_heads", time="2", heads={"org-3": "7:03"}),
        line("wallet_repaired", time="4", organization_id="org-2", sequence=3, chain="04"),
        line("service_started"),
        '{"event": "wallet_chain_heads", "hea',
        "no JSON",
    ]
    heads = {(each.organization_id, each.sequence, each.chain) for each in read_heads(lines)}
    assert heads == {("org-1", 9, b"\x0a"), ("org-2", 3, b"\x04"), ("org-3", 7, b"\x03")}
