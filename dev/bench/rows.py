"""The lines of the table: which figures each compares, and what it must reach."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

# What one round has measured, by name.
Figures = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Goal:
    """One line: a figure of ours, what it is compared with, and how far it shall get."""

    what: str
    unit: str
    ours: str
    # None: it is only told.
    least: float | None = None
    aim: float | None = None
    minus: str | None = None
    against: str | None = None
    against_unit: str = ""
    at_most: bool = False

    @property
    def figures(self) -> tuple[str, ...]:
        """All that must have been measured."""
        return tuple(name for name in (self.ours, self.minus, self.against) if name is not None)

    def reaches(self, ratio: float, bound: float | None) -> bool:
        if bound is None:
            return True
        return ratio <= bound if self.at_most else ratio >= bound


@dataclass(frozen=True, slots=True)
class Row:
    """One line with this machine's figures. Against nothing, the ratio is the figure itself."""

    what: str
    unit: str
    ours: float
    against: float | None
    against_unit: str
    ratio: float
    least: float | None
    aim: float | None
    at_most: bool
    reaches_least: bool
    reaches_aim: bool


def goals_for(wallets: int, entries: int, canceled: int) -> tuple[Goal, ...]:
    """The table.

    It is for so many wallets that batches are spread over, entries in a large ledger, and
    organizations that are canceled at once.
    """
    return (
        *_debit_goals(),
        Goal(
            what="BatchDebit of 1000, 4 in flight, one wallet ÷ COPY",
            unit="debits/s",
            ours="batched_debits_per_second",
            against="batched_copied_rows_per_second",
            against_unit="rows/s",
            least=0.30,
            aim=0.60,
        ),
        Goal(
            what=f"BatchDebit of 1000, 4 in flight, {grouped(wallets)} wallets ÷ COPY",
            unit="debits/s",
            ours="spread_debits_per_second",
            against="spread_copied_rows_per_second",
            against_unit="rows/s",
            least=0.18,
            aim=0.45,
        ),
        Goal(
            what="A lone caller: (Debit less its statements) ÷ bare no-op",
            unit="µs",
            ours="lone_debit_microseconds",
            minus="lone_statements_microseconds",
            against="lone_no_op_microseconds",
            against_unit="µs",
            least=2.0,
            aim=1.3,
            at_most=True,
        ),
        *_ledger_goals(entries),
        Goal(
            what="CanOrganizationSend, 256 in flight ÷ bare no-op",
            unit="calls/s",
            ours="questions_per_second",
            against="no_op_questions_per_second",
            against_unit="calls/s",
            least=0.70,
            aim=0.85,
        ),
        *_ingest_goals("Stripe", least=0.5, aim=0.8),
        *_ingest_goals("PayPal", least=0.4, aim=0.6),
        *_reaction_goals(),
        *_mass_goals(canceled),
    )


def _debit_goals() -> tuple[Goal, ...]:
    return (
        Goal(
            what="Debit on one wallet, 256 in flight ÷ bare no-op",
            unit="calls/s",
            ours="debits_per_second",
            against="no_op_calls_per_second",
            against_unit="calls/s",
            least=0.70,
            aim=0.90,
        ),
        Goal(
            what="Debit on one wallet, 256 in flight ÷ pgbench, 8 clients",
            unit="calls/s",
            ours="debits_per_second",
            against="pgbench_transactions_per_second",
            against_unit="tx/s",
            least=1.3,
            aim=2.0,
        ),
        Goal(
            what="Debit over TLS by a proven caller ÷ in the clear",
            unit="calls/s",
            ours="proven_debits_per_second",
            against="debits_per_second",
            against_unit="calls/s",
            least=0.85,
            aim=0.95,
        ),
    )


def _ledger_goals(entries: int) -> tuple[Goal, ...]:
    return (
        Goal(
            what=f"Debit in a ledger of {grouped(entries)} entries ÷ in an empty one",
            unit="calls/s",
            ours="debits_in_large_ledger_per_second",
            against="debits_per_second",
            against_unit="calls/s",
            least=0.85,
            aim=0.95,
        ),
        Goal(
            what="An entry on disk, indexes included",
            unit="bytes",
            ours="entry_bytes",
            least=450,
            aim=300,
            at_most=True,
        ),
    )


def _ingest_goals(provider: str, least: float, aim: float) -> tuple[Goal, ...]:
    what = provider.lower()
    return (
        Goal(
            what=f"{provider} ingest, 64 in flight ÷ bare aiohttp and INSERT",
            unit="events/s",
            ours=f"{what}_ingested_per_second",
            against=f"{what}_bare_inserts_per_second",
            against_unit="rows/s",
            least=least,
            aim=aim,
        ),
        *_times(f"{provider}, under that load: 200 → credited", f"{what}_credited"),
    )


def _times(what: str, figure: str) -> Sequence[Goal]:
    """They are only told."""
    return [
        Goal(what=f"{what}, {part}", unit="ms", ours=f"{figure}_{part}_milliseconds", at_most=True)
        for part in ("median", "p99")
    ]


def _reaction_goals() -> tuple[Goal, ...]:
    return (
        *_times("Wallet depleted → last campaign PAUSED", "paused"),
        *_times("Campaign paused → told to all watchers of two processes", "watched"),
        *_times("Subscription canceled → Twilio told", "twilio_told"),
    )


def _mass_goals(canceled: int) -> tuple[Goal, ...]:
    return (
        Goal(
            what=f"{grouped(canceled)} canceled at once ÷ (calls of 100 ms, 20 at a time)",
            unit="s",
            ours="mass_seconds",
            against="mass_ideal_seconds",
            against_unit="s",
            least=1.3,
            aim=1.1,
            at_most=True,
        ),
        Goal(
            what=f"Calls before a suspension amid {grouped(canceled)} activations",
            unit="calls",
            ours="single_calls_before",
            least=20,
            aim=0,
            at_most=True,
        ),
        Goal(
            what="The same: acknowledged → Twilio told",
            unit="ms",
            ours="single_milliseconds",
            at_most=True,
        ),
    )


def grouped(number: float) -> str:
    """12 345: in groups of three digits."""
    return f"{number:,.0f}".replace(",", " ")


def median_figures(rounds: Sequence[Figures]) -> dict[str, float]:
    """The median of each figure over the rounds that have it."""
    names = dict.fromkeys(name for figures in rounds for name in figures)
    return {name: median(each[name] for each in rounds if name in each) for name in names}


def rows_of(goals: Sequence[Goal], medians: Figures) -> list[Row]:
    """The lines for which everything was measured."""
    return [_row_of(goal, medians) for goal in goals if medians.keys() >= {*goal.figures}]


def _row_of(goal: Goal, medians: Figures) -> Row:
    ours = medians[goal.ours] - (medians[goal.minus] if goal.minus is not None else 0.0)
    against = medians[goal.against] if goal.against is not None else None
    ratio = ours if against is None else ours / against
    return Row(
        what=goal.what,
        unit=goal.unit,
        ours=ours,
        against=against,
        against_unit=goal.against_unit,
        ratio=ratio,
        least=goal.least,
        aim=goal.aim,
        at_most=goal.at_most,
        reaches_least=goal.reaches(ratio, goal.least),
        reaches_aim=goal.reaches(ratio, goal.aim),
    )
