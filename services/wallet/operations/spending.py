"""Counts what comes of debits and holds."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from time import monotonic

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from libs.errors import DomainError, ErrorReason
from libs.recent import RecentGrowth
from services.wallet.domain.commands import Command, Debit, PlaceHold
from services.wallet.domain.draft import Effect
from services.wallet.domain.overview import RecentDebits

OK, DEFECT = "OK", "INTERNAL"
SPENDING = {Debit: "debit", PlaceHold: "hold"}
# Nothing was decided.
UNDECIDED = (ErrorReason.DATABASE_UNAVAILABLE, ErrorReason.OVERLOADED)
# Shown from the start, so that the first is seen to be one more.
USUAL = (
    OK,
    *UNDECIDED,
    ErrorReason.INSUFFICIENT_FUNDS,
    ErrorReason.WALLET_FROZEN,
    ErrorReason.WALLET_NOT_FOUND,
    ErrorReason.CURRENCY_MISMATCH,
    ErrorReason.REFERENCE_CONFLICT,
)


class Spending(Collector):
    """Numbers of this process. To count is no more than to look up and to add, for each debit."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = monotonic) -> None:
        self._counts: dict[type, defaultdict[str, int]] = {
            kind: defaultdict(int, dict.fromkeys(USUAL, 0)) for kind in SPENDING
        }
        self._decided = RecentGrowth(clock)
        self._insufficient = RecentGrowth(clock)
        self._unavailable = RecentGrowth(clock)
        registry.register(self)

    def count(self, command: Command, answer: Effect | Exception) -> None:
        """Count what has come of a command, if it is one that spends."""
        counts = self._counts.get(type(command))
        if counts is None:
            return
        if isinstance(answer, Effect):
            counts[OK] += 1
        else:
            counts[answer.reason if isinstance(answer, DomainError) else DEFECT] += 1

    def recent(self) -> RecentDebits:
        """Return what has come of them in the last ten minutes."""
        undecided = sum(self._total(reason) for reason in UNDECIDED)
        decided = sum(sum(counts.values()) for counts in self._counts.values()) - undecided
        return RecentDebits(
            attempt_count=self._decided.look(decided),
            insufficient_funds_count=self._insufficient.look(
                self._total(ErrorReason.INSUFFICIENT_FUNDS)
            ),
            database_unavailable_count=self._unavailable.look(
                self._total(ErrorReason.DATABASE_UNAVAILABLE)
            ),
        )

    def _total(self, outcome: str) -> int:
        return sum(counts[outcome] for counts in self._counts.values())

    def collect(self) -> Iterable[CounterMetricFamily]:
        """Show all that was counted."""
        family = CounterMetricFamily(
            "tollgate_debits",
            "Debits, each of a batch by itself, and holds, by what came of them: OK, also where "
            "one was repeated, or an ErrorReason.",
            labels=["kind", "outcome"],
        )
        for kind, counts in self._counts.items():
            for outcome, count in counts.items():
                family.add_metric([SPENDING[kind], outcome], count)
        yield family
