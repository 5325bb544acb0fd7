"""What of the overview is shown as gauges."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from libs.announcing.gauges import ANNOUNCEMENT_GAUGES
from libs.counting import age_seconds
from libs.gauging import OverviewGauge, Sample
from libs.operating.gauges import LONG_TRANSACTION_GAUGES
from services.billing_gateway.domain.overview import EventCount
from services.billing_gateway.operations.overview import Overview


def _each_state(
    value: Callable[[EventCount, datetime], float],
) -> Callable[[Overview], Iterable[Sample]]:
    return lambda overview: [
        Sample(value(count, overview.time), (provider, state))
        for provider, events in overview.counts.events.items()
        for state, count in events.unsettled.items()
    ]


def _last_times(overview: Overview) -> Iterable[Sample]:
    for provider in overview.recently_refused:
        last = overview.counts.events[provider].last_receive_time
        yield Sample(last.timestamp() if last else 0.0, (provider,))


def _subscriptions(overview: Overview) -> Iterable[Sample]:
    return [
        Sample(count, (state or "UNSPECIFIED",))
        for state, count in overview.counts.subscriptions.items()
    ]


GAUGES: Sequence[OverviewGauge[Overview]] = (
    OverviewGauge(
        "tollgate_webhook_events",
        "Events that are not settled, by provider and state.",
        _each_state(lambda events, _: events.count),
        ("provider", "state"),
    ),
    OverviewGauge(
        "tollgate_oldest_webhook_event_seconds",
        "For how long the oldest of them has been there; 0 if there is none.",
        _each_state(lambda events, now: age_seconds(events.oldest_receive_time, now)),
        ("provider", "state"),
    ),
    OverviewGauge(
        "tollgate_last_webhook_event_time_seconds",
        "When the last event came of a provider that is set up, in seconds since 1970; 0 if none "
        "has yet.",
        _last_times,
        ("provider",),
    ),
    OverviewGauge(
        "tollgate_subscriptions",
        "Subscriptions by state; UNSPECIFIED: nothing was heard of them yet.",
        _subscriptions,
        ("state",),
    ),
    *ANNOUNCEMENT_GAUGES,
    *LONG_TRANSACTION_GAUGES,
)
