"""What of the overview is shown as gauges."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from libs.counting import age_seconds
from libs.gauging import OverviewGauge, Sample
from libs.operating.gauges import LONG_TRANSACTION_GAUGES
from services.telephony.domain.overview import StandingCount
from services.telephony.operations.overview import Overview


def _subaccounts(overview: Overview) -> Mapping[str, StandingCount]:
    counts = overview.counts.subaccounts
    return {
        "drifted": counts.drifted,
        "unsuspended": counts.unsuspended,
        "failing": counts.failing,
        "aftermath_failing": counts.aftermath_failing,
    }


def _provisions(overview: Overview) -> Mapping[str, StandingCount]:
    return {"open": overview.counts.provisions.open, "failing": overview.counts.provisions.failing}


def _each(
    counts: Callable[[Overview], Mapping[str, StandingCount]],
    value: Callable[[StandingCount, datetime], float],
) -> Callable[[Overview], Iterable[Sample]]:
    return lambda overview: [
        Sample(value(count, overview.time), (standing,))
        for standing, count in counts(overview).items()
    ]


def _count(found: StandingCount, _: datetime) -> float:
    return found.count


def _age_seconds(found: StandingCount, now: datetime) -> float:
    return age_seconds(found.oldest_time, now)


GAUGES: Sequence[OverviewGauge[Overview]] = (
    OverviewGauge(
        "tollgate_subaccounts",
        "Subaccounts that are not as wanted (drifted), or must be suspended and are not known to "
        "be (unsuspended), or whose last call failed (failing), or whose calls cannot be ended "
        "after a suspension (aftermath_failing).",
        _each(_subaccounts, _count),
        ("standing",),
    ),
    OverviewGauge(
        "tollgate_oldest_subaccount_seconds",
        "For how long the oldest of them has been so; 0 if there is none.",
        _each(_subaccounts, _age_seconds),
        ("standing",),
    ),
    OverviewGauge(
        "tollgate_provisions",
        "Intents to have a subaccount made that have none yet (open), or whose last attempt "
        "failed (failing).",
        _each(_provisions, _count),
        ("standing",),
    ),
    OverviewGauge(
        "tollgate_oldest_provision_seconds",
        "For how long the oldest of them has been so; 0 if there is none.",
        _each(_provisions, _age_seconds),
        ("standing",),
    ),
    *LONG_TRANSACTION_GAUGES,
)
