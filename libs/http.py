"""HTTP doors: small aiohttp applications, and a bound for all that strangers can make them bear."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import cast

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.typedefs import Handler

from libs.limited_log import LimitedLog

LOGGER = logging.getLogger("tollgate.http")

SHUTDOWN_SECONDS = 5.0
# Of a door. When all are taken, whoever has kept us waiting longest gives its place to who comes.
CONNECTIONS_MAX = 500
CONNECTIONS_WAITING_MAX = 1024
# No path here and no header of a provider's or a proxy's is nearly as long.
LINE_BYTES_MAX = 2048
HEADER_BYTES_MAX = 4096
HEADERS_MAX = 64
# From the first byte of a request to the end of its headers; for its answer to be taken.
HEAD_SECONDS_MAX = 10.0
ANSWER_SECONDS_MAX = 10.0
# Between two requests: longer than proxies keep a connection, else it is closed under their next.
IDLE_SECONDS_MAX = 75.0
# For what is left of a body that was refused, so that whoever sends it hears why.
LINGER_SECONDS = 2.0
RETRY_AFTER_SECONDS = 1
TOO_MANY_HEADERS = "Too many headers received"
# Instead of which library, in which version, of which language.
SERVER = "tollgate"


class HttpEndpoint:
    """Serves one application."""

    def __init__(
        self,
        application: web.Application,
        address: str,
        *,
        connections_max: int = CONNECTIONS_MAX,
        head_seconds_max: float = HEAD_SECONDS_MAX,
        idle_seconds_max: float = IDLE_SECONDS_MAX,
    ) -> None:
        self.address = address
        self._places = _Places(connections_max)
        self._head_seconds_max = head_seconds_max
        self._idle_seconds_max = idle_seconds_max
        self._log = LimitedLog()
        self._listener: asyncio.Server | None = None
        application.middlewares.append(self._answer)
        application.on_response_prepare.append(_hide_versions)
        self._runner = web.AppRunner(application, shutdown_timeout=SHUTDOWN_SECONDS)

    @property
    def port(self) -> int:
        """Return the port that is listened on."""
        assert self._listener is not None, "not started"
        return int(self._listener.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Begin to listen."""
        await self._runner.setup()
        host, _, port = self.address.rpartition(":")
        self._listener = await asyncio.get_running_loop().create_server(
            self._take, host.strip("[]"), int(port), backlog=CONNECTIONS_WAITING_MAX
        )

    async def stop(self) -> None:
        """Refuse what is new and finish what is under way."""
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()

    def _take(self) -> "Connection":
        server = self._runner.server
        assert server is not None, "not started"
        return Connection(
            server, self._places, self._log, self._head_seconds_max, self._idle_seconds_max
        )

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        with connection_of(request).answering():
            try:
                answer = await handler(request)
            except web.HTTPException as refusal:
                self._log.warning("http_refused", status=refusal.status, peer=request.remote)
                _close_unless_read(request, refusal)
                raise
            _close_unless_read(request, answer)
            return answer


class Connection(web.RequestHandler):
    """One peer, which is given up if it does not get on."""

    def __init__(
        self,
        server: web.Server,
        places: "_Places",
        log: LimitedLog,
        head_seconds_max: float,
        idle_seconds_max: float,
    ) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            logger=LOGGER,
            access_log=None,  # type: ignore[arg-type]
            keepalive_timeout=idle_seconds_max,
            lingering_time=LINGER_SECONDS,
            max_line_size=LINE_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
            max_headers=HEADERS_MAX,
            # A body is verified as it was sent; unpacking it is nobody's business here.
            auto_decompress=False,
        )
        self._places = places
        self._log = log
        self._head_seconds_max = head_seconds_max
        self._timer: asyncio.TimerHandle | None = None
        self._is_answering = False
        self._head_has_begun = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a place, if one can be had."""
        if self._places.take(self):
            super().connection_made(transport)
            return
        self._log_refusal(HTTPStatus.SERVICE_UNAVAILABLE, transport)
        stream = cast(asyncio.Transport, transport)
        stream.write(_raw_refusal(HTTPStatus.SERVICE_UNAVAILABLE))
        stream.close()

    def data_received(self, data: bytes) -> None:
        """Let the time run in which the rest of a request's head must come."""
        if not self._is_answering and not self._head_has_begun:
            self._head_has_begun = True
            self._set_timer(self._head_seconds_max, self._refuse_slow_head)
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give the place back."""
        self._places.give_back(self)
        self._stop_timer()
        super().connection_lost(exc)

    def give_up(self) -> None:
        """Hang up at once."""
        if self.transport is not None:
            self.transport.abort()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """A request has its head; what its peer does in time until its answer is the handler's."""
        self._stop_timer()
        self._is_answering, self._head_has_begun = True, False
        try:
            yield
        finally:
            self._is_answering = False
            self._places.wait(self)
            self._set_timer(ANSWER_SECONDS_MAX, self._give_up_if_answer_is_left)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Nobody waits for the peer: its place is not given to another."""
        self._places.work(self)
        try:
            yield
        finally:
            self._places.wait(self)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP without quoting it; only defects of ours leave a trace in logs."""
        if isinstance(exc, HttpProcessingError):
            refused = _status_of(exc)
            self._log_refusal(refused, self.transport)
            answer: web.StreamResponse = web.Response(status=refused, text=refused.phrase)
            answer.force_close()
        else:
            answer = super().handle_error(request, status, exc, message)
        answer.headers[hdrs.SERVER] = SERVER
        return answer

    def _refuse_slow_head(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self._log_refusal(HTTPStatus.REQUEST_TIMEOUT, self.transport)
            self.transport.write(_raw_refusal(HTTPStatus.REQUEST_TIMEOUT))
        self.force_close()

    def _give_up_if_answer_is_left(self) -> None:
        if self.transport is not None and self.transport.get_write_buffer_size():
            self.give_up()

    def _set_timer(self, seconds: float, react: Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, react)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _log_refusal(self, status: int, transport: asyncio.BaseTransport | None) -> None:
        peer = transport.get_extra_info("peername") if transport is not None else None
        self._log.warning("http_refused", status=int(status), peer=peer[0] if peer else None)


class _Places:
    """Who is connected: those who keep us waiting, the longest first, and those we work for."""

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._waiting: dict[Connection, None] = {}
        self._working: set[Connection] = set()

    def take(self, newcomer: Connection) -> bool:
        """Tell whether there is a place, or one that somebody has waited in for too long."""
        if len(self._waiting) + len(self._working) >= self._count_max:
            if not self._waiting:
                return False
            longest = next(iter(self._waiting))
            del self._waiting[longest]
            longest.give_up()
        self._waiting[newcomer] = None
        return True

    def work(self, connection: Connection) -> None:
        """Let somebody keep its place for as long as it takes."""
        if connection in self._waiting:
            del self._waiting[connection]
            self._working.add(connection)

    def wait(self, connection: Connection) -> None:
        """Somebody was answered, and has all its time again."""
        if connection in self._working or connection in self._waiting:
            self.give_back(connection)
            self._waiting[connection] = None

    def give_back(self, connection: Connection) -> None:
        """Somebody is gone."""
        self._waiting.pop(connection, None)
        self._working.discard(connection)


def connection_of(request: web.BaseRequest) -> Connection:
    """Return the connection that a request came by."""
    connection = request.protocol
    assert isinstance(connection, Connection), "not served by an HttpEndpoint"
    return connection


async def _hide_versions(_: web.Request, response: web.StreamResponse) -> None:
    response.headers[hdrs.SERVER] = SERVER


def _close_unless_read(request: web.Request, answer: web.StreamResponse) -> None:
    """Whoever still sends a body that nobody wants is not waited for."""
    if not request.content.is_eof():
        answer.force_close()


def _status_of(error: HttpProcessingError) -> HTTPStatus:
    match error:
        case LineTooLong(args=(_, limit, *_)) if limit == LINE_BYTES_MAX:
            return HTTPStatus.REQUEST_URI_TOO_LONG
        case LineTooLong():
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        case _ if error.message == TOO_MANY_HEADERS:
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        case _:
            return HTTPStatus.BAD_REQUEST


def _raw_refusal(status: HTTPStatus) -> bytes:
    """Return what is sent where no request was heard that could be answered."""
    head = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Server: {SERVER}",
        "Connection: close",
        "Content-Length: 0",
    ]
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        head.append(f"Retry-After: {RETRY_AFTER_SECONDS}")
    return "\r\n".join([*head, "", ""]).encode()
