"""What is shown of levels that observers have not acknowledged."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from libs.announcing.ports import Backlog
from libs.counting import age_seconds
from libs.gauging import OverviewGauge, Sample

LABELS = ("level", "observer")


class Announced(Protocol):
    """An overview of a service that announces levels."""

    @property
    def time(self) -> datetime:
        """Return the moment of which it is."""
        ...

    @property
    def announcements(self) -> Sequence[Backlog]:
        """Return what each observer has not acknowledged."""
        ...


def _each(value: Callable[[Backlog, datetime], float]) -> Callable[[Announced], Iterable[Sample]]:
    return lambda overview: [
        Sample(value(each, overview.time), (each.level, each.observer))
        for each in overview.announcements
    ]


ANNOUNCEMENT_GAUGES: Sequence[OverviewGauge[Announced]] = (
    OverviewGauge(
        "tollgate_announcements_pending",
        "Levels newer than what the observer has acknowledged.",
        _each(lambda backlog, _: backlog.pending_count),
        LABELS,
    ),
    OverviewGauge(
        "tollgate_oldest_announcement_seconds",
        "For how long the oldest of them has been pending; 0 if none is.",
        _each(lambda backlog, now: age_seconds(backlog.oldest_time, now)),
        LABELS,
    ),
)
