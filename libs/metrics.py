"""What every service counts, in a registry of its own."""

from platform import python_version

from aiohttp import web
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from libs.database import Database
from libs.database_metrics import DatabaseMetrics
from libs.rpc.credentials import WatchedCertificates
from libs.version import VERSION


class ServiceMetrics:
    """The metrics that all services share; a service adds its own to the same registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.rpcs = Counter(
            "tollgate_rpcs",
            "Calls that were answered, by method and reason (OK, or an ErrorReason).",
            ["method", "reason"],
            registry=self.registry,
        )
        self.rpc_seconds = Histogram(
            "tollgate_rpc_seconds",
            "Time to answer a call.",
            ["method"],
            registry=self.registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )
        self.announcements = Counter(
            "tollgate_announcements",
            "Levels announced, by level, observer and outcome.",
            ["level", "observer", "outcome"],
            registry=self.registry,
        )

        self.event_loop_lag = Histogram(
            "tollgate_event_loop_lag_seconds",
            "How late the process comes to what is due.",
            registry=self.registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )
        Gauge(
            "tollgate_build_info",
            "Always 1; which Tollgate and which Python this is.",
            ["version", "python"],
            registry=self.registry,
        ).labels(VERSION, python_version()).set(1)

    def tell_database(self, database: Database, *others: Database) -> None:
        """Tell from now on of the way to the service's database; it may lead through more pools."""
        self.registry.register(DatabaseMetrics([database, *others]))

    def tell_certificate(self, certificates: WatchedCertificates) -> None:
        """Tell from now on until when the service can prove itself."""

        def expire_time_seconds() -> float:
            return certificates.look().expire_time.timestamp()

        gauge = Gauge(
            "tollgate_certificate_expire_time_seconds",
            "When the service's own certificate expires, in seconds since 1970.",
            registry=self.registry,
        )
        gauge.set_function(expire_time_seconds)


def metrics_application(metrics: ServiceMetrics) -> web.Application:
    """Return the application that answers GET /metrics."""

    async def answer(_: web.Request) -> web.Response:
        body = generate_latest(metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    application = web.Application()
    application.router.add_get("/metrics", answer)
    return application
