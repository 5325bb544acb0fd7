"""What of the overview is shown as gauges."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from libs.announcing.gauges import ANNOUNCEMENT_GAUGES
from libs.counting import age_seconds
from libs.gauging import OverviewGauge, Sample
from libs.operating.gauges import LONG_TRANSACTION_GAUGES
from services.wallet.domain.overview import FreezeCount
from services.wallet.operations.overview import Overview


def _count_by_standing(overview: Overview) -> Iterable[Sample]:
    counts = overview.counts
    return [
        Sample(counts.frozen_count, ("frozen",)),
        Sample(counts.owing_count, ("owing",)),
        Sample(counts.depleted_count, ("depleted",)),
    ]


def _each_freeze(
    value: Callable[[FreezeCount, datetime], float],
) -> Callable[[Overview], Iterable[Sample]]:
    return lambda overview: [
        Sample(value(count, overview.time), (reason,))
        for reason, count in overview.counts.freezes.items()
    ]


GAUGES: Sequence[OverviewGauge[Overview]] = (
    OverviewGauge(
        "tollgate_wallets",
        "Wallets that are frozen for whatever reason, owe, or are depleted.",
        _count_by_standing,
        ("standing",),
    ),
    OverviewGauge(
        "tollgate_wallet_freezes",
        "Wallets frozen by each reason.",
        _each_freeze(lambda freezes, _: freezes.count),
        ("reason",),
    ),
    OverviewGauge(
        "tollgate_oldest_wallet_freeze_seconds",
        "For how long the oldest of these freezes has been set; 0 if there is none.",
        _each_freeze(lambda freezes, now: age_seconds(freezes.oldest_time, now)),
        ("reason",),
    ),
    *ANNOUNCEMENT_GAUGES,
    *LONG_TRANSACTION_GAUGES,
)
