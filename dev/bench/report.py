"""What a run has found: a table for people, a file for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter
from rich.box import SIMPLE
from rich.table import Table

from dev.bench.machine import Machine
from dev.bench.options import Options
from dev.bench.rows import Figures, Row, goals_for, grouped, median_figures, rows_of

# Above it, what stands behind the point says nothing.
DECIMALS_BELOW = 100


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a run has found."""

    date: str
    machine: Machine
    options: Options
    postgres_settings: Mapping[str, str]
    rounds: Sequence[Figures]

    @property
    def medians(self) -> Figures:
        return median_figures(self.rounds)

    @property
    def rows(self) -> list[Row]:
        """The table; a line for which something was not measured is left out."""
        options = self.options
        goals = goals_for(options.wallets, options.entries, options.canceled)
        return rows_of(goals, self.medians)


def write_report(file: Path, report: Report) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {
        **asdict(report),
        "medians": report.medians,
        "rows": [asdict(row) for row in report.rows],
    }
    file.write_bytes(TypeAdapter(dict[str, object]).dump_json(content, indent=2) + b"\n")


def table_of(report: Report) -> Table:
    table = Table(box=SIMPLE, caption=_caption(report), caption_justify="left")
    table.add_column("what")
    for heading in ("ours", "against", "ratio", "least", "aim"):
        table.add_column(heading, justify="right")
    for row in report.rows:
        table.add_row(
            row.what,
            _figure(row.ours, row.unit),
            _figure(row.against, row.against_unit),
            "" if row.against is None else f"{row.ratio:.2f}",
            _bound(row, row.least, reached=row.reaches_least),
            _bound(row, row.aim, reached=row.reaches_aim),
        )
    return table


def _caption(report: Report) -> str:
    machine = report.machine
    return (
        f"Medians of {len(report.rounds)} round(s); {machine.cores} cores shared with the client; "
        f"Python {machine.python}, PostgreSQL {machine.postgres}; "
        f"load of the machine before: {machine.load_before:.1f}"
    )


def _figure(value: float | None, unit: str) -> str:
    return "" if value is None else f"{_number(value)} {unit}"


def _number(value: float) -> str:
    return f"{value:.1f}" if abs(value) < DECIMALS_BELOW else grouped(value)


def _bound(row: Row, bound: float | None, *, reached: bool) -> str:
    if bound is None:
        return ""
    sign = "≤" if row.at_most else "≥"
    mark = "[green]✓" if reached else "[red]✗"
    return f"{sign} {bound:g} {mark}" if row.against is None else f"{sign} {bound:.2f} {mark}"
