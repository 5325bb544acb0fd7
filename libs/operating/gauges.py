"""What is shown of transactions that may keep others waiting."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from libs.counting import age_seconds
from libs.gauging import OverviewGauge, Sample
from libs.operating.values import LongTransaction


class Operated(Protocol):
    """An overview of a service."""

    @property
    def time(self) -> datetime:
        """Return the moment of which it is."""
        ...

    @property
    def long_transactions(self) -> Sequence[LongTransaction] | None:
        """Return them, longest open first; None if nothing can tell."""
        ...


def _count(overview: Operated) -> Iterable[Sample]:
    found = overview.long_transactions
    return [] if found is None else [Sample(len(found))]


def _oldest_seconds(overview: Operated) -> Iterable[Sample]:
    found = overview.long_transactions
    if found is None:
        return []
    return [Sample(age_seconds(found[0].start_time if found else None, overview.time))]


LONG_TRANSACTION_GAUGES: Sequence[OverviewGauge[Operated]] = (
    OverviewGauge(
        "tollgate_long_transactions",
        "Transactions that have been open for long and hold locks, at most 100; not shown where "
        "the database was set up by an older Tollgate.",
        _count,
    ),
    OverviewGauge(
        "tollgate_oldest_long_transaction_seconds",
        "For how long the oldest of them has been open; 0 if there is none.",
        _oldest_seconds,
    ),
)
