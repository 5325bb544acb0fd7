"""Verifies the ledger of a running wallet: `python -m dev.verify_ledger`, `make verify-ledger`.

The heads of chains that the wallet has logged are held against it, so that a tail that was cut off
is missed. Exits with 1 if something is wrong that has not been repaired, with 2 if nobody can tell.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from dev.stack.certificates import directory_of
from dev.stack.errors import StackError
from dev.stack.running_stack import read_running_stack
from dev.stack.screen import show_problem
from dev.stack.settings import read_environment, read_settings
from libs.rpc.channel import open_channel
from libs.rpc.credentials import read_certificates
from libs.rpc.proof import CertificatesUnusableError
from tollgate.wallet.v1 import ledger_pb2
from tollgate.wallet.v1.wallet_service_ledger_pb2 import VerifyLedgerRequest
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

# As many as one request may have.
HEADS_MAX = 1_000
EVENTS = '"wallet_chain_heads"', '"wallet_repaired"', '"service_started"'


@dataclass(frozen=True, slots=True)
class Options:
    """What to verify, and against what."""

    address: str
    # Of whoever verifies; without, the wallet is asked in the clear.
    tls_directory: Path | None
    organization_id: str
    logs: tuple[Path, ...]


def main() -> None:
    console = Console(highlight=False)
    try:
        options = parse_options()
        finding_count = asyncio.run(verify(options, console))
    except (StackError, CertificatesUnusableError) as error:
        show_problem(console, error)
        sys.exit(2)
    except grpc.aio.AioRpcError as error:
        show_problem(console, StackError(f"{error.code().name}: {error.details()}"))
        sys.exit(2)
    sys.exit(1 if finding_count else 0)


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """What is not given is asked of what `make run` has started."""
    parser = argparse.ArgumentParser(prog="python -m dev.verify_ledger", description=__doc__)
    parser.add_argument("--address", help="the wallet's host:port")
    parser.add_argument(
        "--tls", type=Path, help="an operator's directory of tls.crt, tls.key and ca.crt"
    )
    parser.add_argument("--organization", default="", help="only this one's wallet")
    parser.add_argument(
        "--log", type=Path, action="append", help="a wallet's log, of JSON lines; may be repeated"
    )
    given = parser.parse_args(arguments)
    if given.address:
        return Options(given.address, given.tls, given.organization, tuple(given.log or ()))
    settings = read_settings(read_environment())
    running = read_running_stack(settings.data_directory)
    if running is None:
        raise StackError("Tollgate is not running: start it with `make run`, or give --address.")
    logs = given.log or [settings.log_directory / "wallet.log"]
    tls = given.tls or directory_of("operator_reader", running.certificates_directory)
    return Options(running.grpc_addresses["wallet"], tls, given.organization, tuple(logs))


async def verify(options: Options, console: Console) -> int:
    """Verify with a progress bar; return how much is wrong."""
    heads = read_heads(line for path in options.logs for line in path.read_text().splitlines())
    if options.organization_id:
        heads = [head for head in heads if head.organization_id == options.organization_id]
    console.print(f"Heads of chains that were logged: {len(heads)}")
    requests = _requests(options.organization_id, heads)
    certificates = read_certificates(options.tls_directory) if options.tls_directory else None
    async with open_channel(options.address, certificates) as channel:
        wallet = WalletServiceStub(channel)
        return sum([await verify_one(wallet, request, console) for request in requests])


def _requests(
    organization_id: str, heads: Sequence[ledger_pb2.ChainHead]
) -> list[VerifyLedgerRequest]:
    """Ask for all that is to be verified, and again for wallets of which heads are left."""
    left: dict[str, list[ledger_pb2.ChainHead]] = {}
    for head in heads[HEADS_MAX:]:
        left.setdefault(head.organization_id, []).append(head)
    return [
        VerifyLedgerRequest(organization_id=organization_id, heads=heads[:HEADS_MAX]),
        *(
            VerifyLedgerRequest(organization_id=name, heads=each[start : start + HEADS_MAX])
            for name, each in left.items()
            for start in range(0, len(each), HEADS_MAX)
        ),
    ]


async def verify_one(
    wallet: WalletServiceStub, request: VerifyLedgerRequest, console: Console
) -> int:
    """Tell what one request comes to."""
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("wallets, {task.fields[entries]:,} entries"),
        TimeElapsedColumn(),
    )
    summary = ledger_pb2.VerifySummary()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=None, entries=0)
        async for response in wallet.VerifyLedger(request):
            match response.WhichOneof("report"):
                case "progress":
                    told = response.progress
                    progress.update(
                        task,
                        total=told.wallet_count,
                        completed=told.verified_wallets,
                        entries=told.verified_entries,
                    )
                case "finding":
                    progress.console.print(_finding_line(response.finding), soft_wrap=True)
                case _:
                    summary = response.summary
        progress.update(task, completed=summary.verified_wallets, entries=summary.verified_entries)
    console.print(_summary_line(summary))
    return summary.finding_count


def read_heads(lines: Iterable[str]) -> list[ledger_pb2.ChainHead]:
    """Return the logged heads that must still be there."""
    logged = LoggedHeads()
    for event in sorted(_events(lines), key=lambda event: str(event.get("time"))):
        logged.take(event)
    return logged.heads


class LoggedHeads:
    """Keeps of each wallet what others do not stand for.

    A repair gives up all heads before it. A higher head stands for the one before it, since whoever
    logs both has seen that; but not for one from before a service was started, which has forgotten
    what it had seen. A head that is not higher is what such a service logs of a tail that was cut.
    """

    def __init__(self) -> None:
        self._heads: dict[str, list[ledger_pb2.ChainHead]] = {}
        self._stood_for: set[str] = set()

    @property
    def heads(self) -> list[ledger_pb2.ChainHead]:
        return [head for each in self._heads.values() for head in each]

    def take(self, event: Mapping[str, Any]) -> None:
        """Take in the next event of the log."""
        match event["event"]:
            case "service_started":
                self._stood_for.clear()
            case "wallet_repaired":
                name = event["organization_id"]
                self._heads[name] = [_head(name, event["sequence"], event["chain"])]
            case _:
                for head in _heads_of(event["heads"]):
                    self._add(head)

    def _add(self, head: ledger_pb2.ChainHead) -> None:
        name = head.organization_id
        known = self._heads.setdefault(name, [])
        if head in known:
            return
        if name in self._stood_for and known[-1].sequence < head.sequence:
            known.pop()
        self._stood_for.add(name)
        known.append(head)


def _events(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        # Few of a log's lines are about heads, and what a crash left of the last one is no JSON.
        if any(name in line for name in EVENTS):
            try:
                yield json.loads(line)
            except ValueError:
                continue


def _heads_of(told: dict[str, str]) -> Iterator[ledger_pb2.ChainHead]:
    for organization_id, head in told.items():
        sequence, _, chain = head.partition(":")
        yield _head(organization_id, int(sequence), chain)


def _head(organization_id: str, sequence: int, chain: str) -> ledger_pb2.ChainHead:
    return ledger_pb2.ChainHead(
        organization_id=organization_id, sequence=sequence, chain=bytes.fromhex(chain)
    )


def _finding_line(finding: ledger_pb2.LedgerFinding) -> Text:
    kind = ledger_pb2.LedgerFindingKind.Name(finding.kind).removeprefix("LEDGER_FINDING_KIND_")
    place = f" at entry {finding.sequence}" if finding.sequence else ""
    state = "repaired" if finding.repaired else "WRONG"
    style = "dim" if finding.repaired else "bold red"
    return Text(f"{state} {finding.organization_id}: {kind}{place}: {finding.detail}", style=style)


def _summary_line(summary: ledger_pb2.VerifySummary) -> Text:
    repaired = f" {summary.repaired_count} findings have been repaired."
    if summary.finding_count:
        return Text(f"{summary.finding_count} findings.{repaired}", style="bold red")
    return Text(f"The ledger is in order.{repaired}", style="bold green")


if __name__ == "__main__":
    main()
