"""Gauges of what a service's database holds: told while they are known, and no longer."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from libs.workers import PollingWorker

# How old a gauge may be.
GAUGE_SECONDS = 15.0

OverviewT = TypeVar("OverviewT")
OverviewT_contra = TypeVar("OverviewT_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Sample:
    """A value, and the values of the gauge's labels in their order."""

    value: float
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OverviewGauge(Generic[OverviewT_contra]):
    """A gauge, and what an overview says of it."""

    name: str
    documentation: str
    samples: Callable[[OverviewT_contra], Iterable[Sample]]
    labels: Sequence[str] = ()


class Gauging(Collector, Generic[OverviewT]):
    """Reads an overview again and again, and shows the last one until none can be read.

    Numbers of before would look like those of now: where the database is away there are none.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[OverviewT]],
        gauges: Iterable[OverviewGauge[OverviewT]],
        registry: CollectorRegistry,
    ) -> None:
        self._read = read
        self._gauges = tuple(gauges)
        self._seen: OverviewT | None = None
        registry.register(self)

    def worker(self) -> PollingWorker:
        """Return the loop that reads."""
        return PollingWorker("gauge", self.look, GAUGE_SECONDS)

    async def look(self) -> bool:
        """Look once; there is no more to do then."""
        try:
            self._seen = await self._read()
        except Exception:
            self._seen = None
            raise
        return False

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Show what was read last."""
        for gauge in self._gauges:
            family = GaugeMetricFamily(gauge.name, gauge.documentation, labels=gauge.labels)
            for sample in () if self._seen is None else gauge.samples(self._seen):
                family.add_metric(sample.labels, sample.value)
            yield family
