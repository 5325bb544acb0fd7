"""What `python -m dev.bench` can be told."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.stack.settings import CHECKOUT

DATA_DIRECTORY = CHECKOUT / ".data" / "bench"


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured, and where it is kept."""

    rounds: int
    seconds: float
    batches: int
    wallets: int
    entries: int
    deliveries: int
    reactions: int
    canceled: int
    data_directory: Path
    json: Path

    @property
    def log_directory(self) -> Path:
        return self.data_directory / "logs"


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m dev.bench", description=__doc__)
    given = _add_arguments(parser).parse_args(arguments)
    quick: bool = given.quick
    return Options(
        rounds=given.rounds or (1 if quick else 5),
        seconds=given.seconds or (2.0 if quick else 4.0),
        batches=given.batches or (20 if quick else 100),
        wallets=given.wallets or (1_000 if quick else 10_000),
        entries=given.entries or (100_000 if quick else 5_000_000),
        deliveries=given.deliveries or (1_000 if quick else 2_000),
        reactions=given.reactions or (100 if quick else 1_000),
        canceled=given.canceled or (1_000 if quick else 10_000),
        data_directory=given.data_directory,
        json=given.json or given.data_directory / "bench.json",
    )


def _add_arguments(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument(
        "--quick", action="store_true", help="less of everything: two minutes at most"
    )
    parser.add_argument("--rounds", type=_positive, help="how often everything is measured")
    parser.add_argument("--seconds", type=float, help="of each measurement of single calls")
    parser.add_argument("--batches", type=_positive, help="of each measurement of BatchDebit")
    parser.add_argument("--wallets", type=_positive, help="that batches are spread over")
    parser.add_argument("--entries", type=_positive, help="in the large ledger")
    parser.add_argument("--deliveries", type=_positive, help="of each measurement of ingest")
    parser.add_argument(
        "--reactions", type=_positive, help="organizations of which bad news is told one by one"
    )
    parser.add_argument(
        "--canceled", type=_positive, help="organizations of which it is told at once"
    )
    parser.add_argument("--data-directory", type=Path, default=DATA_DIRECTORY)
    parser.add_argument("--json", type=Path, help="where the figures are written")
    return parser


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError
    return number
