"""How every service starts, tells its health, and stops without dropping what it has in hand."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from libs.config import ServiceSettings
from libs.database import Database
from libs.http import HttpEndpoint
from libs.lag import EventLoopLag
from libs.logs import get_logger
from libs.metrics import ServiceMetrics, metrics_application
from libs.rpc.access import Access, OpenAccess, ProvenAccess, roles_of_methods
from libs.rpc.boundary import Boundary
from libs.rpc.credentials import WatchedCertificates, server_credentials
from libs.rpc.limits import CallerLimits
from libs.rpc.reflection import add_reflection
from libs.rpc.server import METADATA_BYTES_MAX, make_server
from libs.tracing import server_interceptors
from libs.workers import PollingWorker, Worker

HEALTH_INTERVAL_SECONDS = 1.0
METRICS_CONNECTIONS_MAX = 50
KEEPALIVE_MS = 30_000
SERVER_OPTIONS = (
    # What gRPC's clients take by default as well: 1000 debits with the longest texts fit in.
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    # Between two limits gRPC would refuse by chance.
    ("grpc.max_metadata_size", METADATA_BYTES_MAX),
    ("grpc.absolute_max_metadata_size", METADATA_BYTES_MAX),
    # Until a client has acknowledged these limits, some of them do not hold.
    ("grpc.http2.settings_timeout", 5_000),
    # Of one connection: calls in flight, and streams that are watched.
    ("grpc.max_concurrent_streams", 1_000),
    # Calls of one method that wait to be accepted. Beyond the first, more and more of them are
    # cancelled, whoever's they are.
    ("grpc.server.max_pending_requests", 5_000),
    ("grpc.server.max_pending_requests_hard_limit", 10_000),
    # Of everybody, also of whom has not shown a certificate yet: fewer than a process may open.
    ("grpc.max_allowed_incoming_connections", 10_000),
    ("grpc.server_handshake_timeout_ms", 10_000),
    # Whoever has connected once proves again, now and then, that it still may.
    ("grpc.max_connection_age_ms", 30 * 60_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
    ("grpc.max_connection_idle_ms", 5 * 60_000),
    # A second process on the same port would silently take half of the calls.
    ("grpc.so_reuseport", 0),
    # Who watches may be silent for days: whether it is still there, it is asked.
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.http2.ping_timeout_ms", KEEPALIVE_MS),
    # And it may ask the same, without being taken for a flood.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
)
NO_DETAILS: Mapping[str, Callable[[], bool]] = MappingProxyType({})


class CannotListenError(Exception):
    """An address that a service is to be reached at is taken, or none of this machine's."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"cannot listen on {address}: {reason}")


@dataclass(frozen=True, slots=True)
class RpcService:
    """One gRPC service: its full name, its servicer, and the generated function that adds it."""

    name: str
    servicer: Any
    add_to_server: Callable[[Any, grpc.aio.Server], None]


class Closable(Protocol):
    """Something to close when everything has stopped, such as a channel."""

    async def close(self) -> None:
        """Close it."""
        ...


class Endless(Protocol):
    """Calls that last until somebody ends them."""

    def end(self) -> None:
        """Let all of them end soon."""
        ...


class Service:
    """A running service: doors, workers, health, metrics, and the order in which they end."""

    def __init__(
        self,
        settings: ServiceSettings,
        database: Database | None,
        metrics: ServiceMetrics,
        certificates: WatchedCertificates | None,
        *,
        rpc_services: Sequence[RpcService],
        workers: Sequence[Worker] = (),
        endpoints: Sequence[HttpEndpoint] = (),
        closables: Sequence[Closable] = (),
        pools: Sequence[Database] = (),
        guards: Sequence[Callable[[], Awaitable[None]]] = (),
        endless: Sequence[Endless] = (),
        health_details: Mapping[str, Callable[[], bool]] = NO_DETAILS,
    ) -> None:
        """A service without a database owns nothing, and serves whenever it runs.

        `pools` are of connections to the same database, for work of another kind.

        `health_details` have names of their own in the health service. What the service needs and
        does not have is told there; it serves all the same.
        """
        self._settings = settings
        self._database = database
        self._metrics = metrics
        self._certificates = certificates
        if certificates is not None:
            metrics.tell_certificate(certificates)
        if database is not None:
            metrics.tell_database(database, *pools)
        self._names = [each.name for each in rpc_services]
        self._endpoints = [
            HttpEndpoint(
                metrics_application(metrics),
                settings.metrics_address,
                connections_max=METRICS_CONNECTIONS_MAX,
            ),
            *endpoints,
        ]
        self._closables = [*closables, *pools]
        self._guards = guards
        self._endless = endless
        self._health_details = health_details
        self._health = health.aio.HealthServicer()
        self._server = self._build_server(rpc_services)
        monitor = PollingWorker("health", self._report_health, HEALTH_INTERVAL_SECONDS)
        self._workers = [*workers, monitor, EventLoopLag(metrics.event_loop_lag.observe)]
        self._worker_tasks: list[asyncio.Task[None]] = []
        self._serving: asyncio.Task[Any] | None = None
        self._is_stopping = False
        self._stop_workers = asyncio.Event()
        self._defect = asyncio.Event()
        self.port = 0

    def _build_server(self, rpc_services: Sequence[RpcService]) -> grpc.aio.Server:
        boundary = Boundary(self._metrics, self._access())
        server = make_server([*server_interceptors(), boundary], SERVER_OPTIONS)
        for each in rpc_services:
            each.add_to_server(each.servicer, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        add_reflection(server, [*self._names, health.SERVICE_NAME])
        return server

    def _access(self) -> Access:
        roles = roles_of_methods(self._names)
        if self._certificates is None:
            return OpenAccess()
        return ProvenAccess(
            roles,
            self._certificates,
            CallerLimits(
                self._settings.caller_calls_per_second_max, self._settings.caller_streams_max
            ),
            open_reflection=self._settings.open_reflection,
        )

    def _listen(self) -> int:
        address = self._settings.listen_address
        try:
            if self._certificates is None:
                return self._server.add_insecure_port(address)
            return self._server.add_secure_port(address, server_credentials(self._certificates))
        except RuntimeError as error:
            # gRPC says why only in its own log.
            raise CannotListenError(address, "taken, or not this machine's") from error

    async def _open(self, endpoint: HttpEndpoint) -> None:
        try:
            await endpoint.start()
        except OSError as error:
            raise CannotListenError(endpoint.address, str(error.strerror)) from error

    async def start(self) -> None:
        """Open the doors and start the workers. The database need not be there yet.

        A guard that raises keeps the doors closed. Raises CannotListenError.
        """
        for guard in self._guards:
            await guard()
        await self._report_health()
        self.port = self._listen()
        await self._server.start()
        self._serving = asyncio.create_task(self._server.wait_for_termination())
        self._serving.add_done_callback(self._note_end_of_server)
        for endpoint in self._endpoints:
            await self._open(endpoint)
        self._worker_tasks = [self._start_worker(worker) for worker in self._workers]
        get_logger().info("service_started", address=self._settings.listen_address)
        if self._certificates is None:
            get_logger().warning("serves_in_the_clear", address=self._settings.listen_address)

    async def stop(self) -> None:
        """Stop in order: not serving, refuse, drain calls, finish workers, close."""
        self._is_stopping = True
        get_logger().info("service_stopping")
        await self._health.enter_graceful_shutdown()
        for endpoint in self._endpoints:
            await endpoint.stop()
        for calls in self._endless:
            calls.end()
        await self._server.stop(self._settings.stop_grace_seconds)
        self._stop_workers.set()
        await self._finish_workers()
        for closable in self._closables:
            await closable.close()
        if self._database is not None:
            await self._database.close()
        get_logger().info("service_stopped")

    async def run(self, stop: asyncio.Event) -> bool:
        """Serve until stop is set or a worker dies of a defect; answer whether all went well."""
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        waits = [asyncio.ensure_future(event.wait()) for event in (stop, self._defect)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await self.stop()
        return not self._defect.is_set()

    def _start_worker(self, worker: Worker) -> asyncio.Task[None]:
        task = asyncio.create_task(worker.run(self._stop_workers), name=worker.name)
        task.add_done_callback(self._note_defect)
        return task

    def _note_defect(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            get_logger().critical("worker_died", worker=task.get_name(), exc_info=error)
            self._defect.set()

    def _note_end_of_server(self, task: asyncio.Task[Any]) -> None:
        """Nobody would be served any more by a process that looks well from outside."""
        error = None if task.cancelled() else task.exception()
        if not self._is_stopping:
            get_logger().critical("server_ended", exc_info=error)
            self._defect.set()

    async def _finish_workers(self) -> None:
        if not self._worker_tasks:
            return
        _, unfinished = await asyncio.wait(
            self._worker_tasks, timeout=self._settings.stop_grace_seconds
        )
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*self._worker_tasks, return_exceptions=True)

    async def _report_health(self) -> bool:
        if self._certificates is not None:
            # Though nobody calls: whoever has changed them looks into the log.
            self._certificates.look()
        serving = self._database is None or await self._database.is_there()
        response = health_pb2.HealthCheckResponse
        for name in ("", *self._names):
            await self._health.set(name, response.SERVING if serving else response.NOT_SERVING)
        for name, is_well in self._health_details.items():
            status = response.SERVING if serving and is_well() else response.NOT_SERVING
            await self._health.set(name, status)
        return False
