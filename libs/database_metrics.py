"""What is shown of the way to a service's database."""

from collections.abc import Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from libs.database import Database


class DatabaseMetrics(Collector):
    """Shows whether the database is there, what the pools of connections do, and what failed."""

    def __init__(self, databases: Sequence[Database]) -> None:
        """They all are one; the first of them is asked whether it is there."""
        self._databases = databases

    def collect(self) -> Iterable[Metric]:
        """Show all of it as it is now."""
        yield GaugeMetricFamily(
            "tollgate_database_up",
            "1 if the database answered when it was asked last, within the last seconds; else 0.",
            self._databases[0].was_there,
        )
        connections = GaugeMetricFamily(
            "tollgate_database_pool_connections",
            "Connections to the database that are open, by pool, at work (used) or not (idle).",
            labels=["pool", "state"],
        )
        maxima = GaugeMetricFamily(
            "tollgate_database_pool_connections_max",
            "Connections to the database that a pool may open.",
            labels=["pool"],
        )
        errors = CounterMetricFamily(
            "tollgate_database_errors",
            "Work that was given up because of the database, by pool and cause.",
            labels=["pool", "cause"],
        )
        for each in self._databases:
            sizes = each.pool_sizes
            connections.add_metric([each.name, "used"], sizes.used)
            connections.add_metric([each.name, "idle"], sizes.idle)
            maxima.add_metric([each.name], sizes.max)
            for cause, count in each.error_counts.items():
                errors.add_metric([each.name, cause], count)
        yield from (connections, maxima, errors)
