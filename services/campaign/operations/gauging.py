"""What of the overview is shown as gauges."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from libs.counting import age_seconds
from libs.gauging import OverviewGauge, Sample
from libs.operating.gauges import LONG_TRANSACTION_GAUGES
from services.campaign.domain.overview import PauseCount
from services.campaign.operations.overview import Overview


def _each_pause(
    value: Callable[[PauseCount, datetime], float],
) -> Callable[[Overview], Iterable[Sample]]:
    return lambda overview: [
        Sample(value(count, overview.time), (reason,))
        for reason, count in overview.counts.pauses.items()
    ]


GAUGES: Sequence[OverviewGauge[Overview]] = (
    OverviewGauge(
        "tollgate_running_campaigns",
        "Campaigns that are RUNNING.",
        lambda overview: [Sample(overview.counts.running_count)],
    ),
    OverviewGauge(
        "tollgate_paused_campaigns",
        "Campaigns that are PAUSED, by the reason that is shown.",
        _each_pause(lambda pauses, _: pauses.count),
        ("reason",),
    ),
    OverviewGauge(
        "tollgate_oldest_campaign_pause_seconds",
        "For how long the oldest of them has been paused; 0 if there is none.",
        _each_pause(lambda pauses, now: age_seconds(pauses.oldest_time, now)),
        ("reason",),
    ),
    OverviewGauge(
        "tollgate_campaigns_paused_over_30_days",
        "Campaigns that have been PAUSED for more than 30 days, by the reason that is shown.",
        _each_pause(lambda pauses, _: pauses.over_30_days_count),
        ("reason",),
    ),
    OverviewGauge(
        "tollgate_emergency_stop",
        "1 while the emergency stop of all campaigns stands, 0 otherwise.",
        lambda overview: [Sample(overview.counts.emergency_stop.stands)],
    ),
    *LONG_TRANSACTION_GAUGES,
)
