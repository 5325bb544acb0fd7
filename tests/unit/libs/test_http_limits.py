"""What strangers send to an HTTP door: refused early, with the right status, in few words."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import Self

import pytest
import structlog
import uvloop
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from libs import http, limited_log
from libs.http import HttpEndpoint, connection_of
from libs.logs import configure_logs
from tests.support.searching import EXAMPLES
from tests.support.waiting import eventually, let_time_pass

GOOD = b"POST /take HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\n\r\nbody"
HEAD = b"GET /take HTTP/1.1\r\nHost: t\r\n"
CHUNKED = b"POST /take HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n"
SECONDS_MAX = 30
# More than any door's connections.
CROWD = 40
CONNECTIONS_MAX = 20


def page() -> web.Application:
    """Take any body, answer a long text, and do a long work that a test ends."""

    async def take(request: web.Request) -> web.Response:
        try:
            body = await request.read()
        except (web.RequestPayloadError, ConnectionError):
            return web.Response(status=400)
        with connection_of(request).at_work():
            return web.Response(body=body)

    async def tell(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.app[ASKED].set_result(request.transport)
        return web.Response(body=b"x" * 64 * 1024 * 1024)

    async def work(request: web.Request) -> web.Response:
        with connection_of(request).at_work():
            request.app[WORKING].release()
            await request.app[LET_GO].wait()
            return web.Response()

    application = web.Application()
    application[LET_GO] = asyncio.Event()
    application[WORKING] = asyncio.Semaphore(0)
    application[ASKED] = asyncio.get_running_loop().create_future()
    application.router.add_post("/take", take)
    application.router.add_get("/tell", tell)
    application.router.add_get("/work", work)
    return application


LET_GO = web.AppKey("let_go", asyncio.Event)
WORKING = web.AppKey("working", asyncio.Semaphore)
ASKED: web.AppKey[asyncio.Future[asyncio.Transport]] = web.AppKey("asked")
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Door:
    """A door, and everybody who has come to it."""

    def __init__(self, endpoint: HttpEndpoint, application: web.Application) -> None:
        self.application = application
        self._endpoint = endpoint

    @asynccontextmanager
    async def enter(self, sent: bytes = b"") -> AsyncIterator[Ends]:
        """Connect and say something."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._endpoint.port)
        writer.write(sent)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def say(self, sent: bytes) -> bytes:
        """Return all that is answered until the door hangs up."""
        async with asyncio.timeout(SECONDS_MAX), self.enter(sent) as (reader, _):
            return await read_all(reader)

    async def require_good(self) -> None:
        """A caller who knows how is served."""
        async with asyncio.timeout(SECONDS_MAX), self.enter(GOOD) as (reader, _):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            assert await reader.readexactly(4) == b"body"


async def read_all(reader: asyncio.StreamReader) -> bytes:
    """Return what came before the end, however it ended."""
    received = bytearray()
    try:
        while piece := await reader.read(65_536):
            received += piece
    except ConnectionError:
        pass
    return bytes(received)


@asynccontextmanager
async def open_door(
    *, connections_max: int = 500, head_seconds_max: float = 10.0
) -> AsyncIterator[Door]:
    application = page()
    endpoint = HttpEndpoint(
        application,
        "127.0.0.1:0",
        connections_max=connections_max,
        head_seconds_max=head_seconds_max,
    )
    await endpoint.start()
    try:
        yield Door(endpoint, application)
    finally:
        application[LET_GO].set()
        await endpoint.stop()


@contextmanager
def logging_as_a_service() -> Iterator[None]:
    """Have this process log as a service does."""
    configure_logs("billing_gateway", "INFO")
    yield
    structlog.reset_defaults()


def headers(count: int, length: int = 1) -> bytes:
    return b"".join(b"X-%d: %s\r\n" % (number, b"y" * length) for number in range(count))


REFUSED = {
    "no HTTP": (b"hello\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "no host": (b"GET /take HTTP/1.1\r\n\r\n", 400),
    "two hosts": (HEAD + b"Host: u\r\n\r\n", 400),
    "a long path": (b"GET /" + b"a" * 3_000 + b" HTTP/1.1\r\nHost: t\r\n\r\n", 414),
    "a path without end": (b"GET /" + b"a" * 300_000, 414),
    "a long header": (HEAD + b"X: " + b"secret" * 1_000 + b"\r\n\r\n", 431),
    "a long name": (HEAD + b"X" * 5_000 + b": y\r\n\r\n", 431),
    "many headers": (HEAD + headers(100) + b"\r\n", 431),
    "headers without end": (HEAD + headers(10_000), 431),
    "a folded header": (HEAD + b"X: y\r\n z\r\n\r\n", 400),
    "a space in a name": (HEAD + b"Content-Length : 4\r\n\r\nbody", 400),
    "a control character": (HEAD + b"X: \x00\r\n\r\n", 400),
    "bare line feeds": (b"GET /take HTTP/1.1\nHost: t\n\n", 400),
    "two lengths": (HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody", 400),
    "a length twice": (HEAD + b"Content-Length: 4, 4\r\n\r\nbody", 400),
    "a negative length": (HEAD + b"Content-Length: -1\r\n\r\n", 400),
    "a length with a sign": (HEAD + b"Content-Length: +4\r\n\r\nbody", 400),
    "an endless length": (HEAD + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n", 400),
    "a length and chunks": (CHUNKED + b"Content-Length: 4\r\n\r\n0\r\n\r\n", 400),
    "chunks of another kind": (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    "chunks not last": (HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
    "chunks twice": (CHUNKED + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
}


@pytest.mark.parametrize(("sent", "status"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_is_no_request_is_answered_by_its_status(
    capsys: pytest.CaptureFixture[str], sent: bytes, status: int
) -> None:
    """Once, in words that quote nothing; what follows on the connection is not heard."""
    with logging_as_a_service():
        async with open_door() as door:
            answer = await door.say(sent + GOOD)
    assert answer.startswith((b"HTTP/1.1 %d " % status, b"HTTP/1.0 %d " % status))
    assert len(answer) < 300
    assert_tells_nothing(answer)
    [line] = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert (told["event"], told["status"], told["peer"]) == ("http_refused", status, "127.0.0.1")
    assert len(line) < 200


def assert_tells_nothing(answer: bytes) -> None:
    """No library, no version, no place in the code, nothing of what was sent."""
    assert not re.search(rb"(?i)python|aiohttp|/\d+\.\d+\.\d+|traceback|\.py|secret", answer)
    assert re.search(rb"\r\nServer: tollgate\r\n", answer)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /nowhere HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n", 404),
        (b"GET /take HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n", 405),
        (b"TRACE /take HTTP/1.1\r\nHost: t\r\nConnection: close\r\nX: secret\r\n\r\n", 405),
        (b"OPTIONS * HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n", 404),
        (b"CONNECT secret:443 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n", 404),
        (b"POST /nowhere HTTP/1.1\r\nHost: t\r\nContent-Length: 999999\r\n\r\nx", 404),
        (HEAD + b"Upgrade: websocket\r\nConnection: Upgrade, close\r\n\r\n", 405),
    ],
)
async def test_what_is_not_served_is_answered_without_a_word_too_many(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sent: bytes, status: int
) -> None:
    monkeypatch.setattr(http, "LINGER_SECONDS", 0.1)
    with logging_as_a_service():
        async with open_door() as door:
            answer = await door.say(sent)
            await door.require_good()
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nConnection: close\r\n" in answer
    assert_tells_nothing(answer)
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["status"] == status


async def test_a_flood_writes_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_as_a_service():
        async with open_door() as door:
            for _ in range(limited_log.LINES_MAX + 20):
                await door.say(b"hello\r\n\r\n")
    assert len(capsys.readouterr().out.splitlines()) == limited_log.LINES_MAX


def test_what_was_not_logged_is_told_when_there_is_room(
    capsys: pytest.CaptureFixture[str],
) -> None:
    times = iter([0.0] * 100 + [limited_log.PERIOD_SECONDS] * 2)
    with logging_as_a_service():
        log = limited_log.LimitedLog(times.__next__)
        for _ in range(102):
            log.warning("refused", status=400)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("unlogged") for line in lines] == [
        *[None] * limited_log.LINES_MAX,
        100 - limited_log.LINES_MAX,
        None,
    ]


@pytest.mark.parametrize("sent", [b"GET /x", HEAD, HEAD + b"X-Slow: "])
async def test_a_head_that_comes_byte_by_byte_is_given_up(sent: bytes) -> None:
    """However often a byte comes."""
    async with open_door(head_seconds_max=0.2) as door, door.enter(sent) as (reader, writer):
        answer = asyncio.create_task(read_all(reader))

        async def drip() -> bool:
            if not answer.done():
                writer.write(b"x")
            return answer.done()

        await eventually(drip, lambda done: done)
        assert (await answer).startswith(b"HTTP/1.1 408 ")
        await door.require_good()


async def test_the_time_for_a_head_runs_anew_for_each_request() -> None:
    """And neither while nobody has begun one, nor while one is answered."""
    async with open_door(head_seconds_max=0.2) as door, door.enter() as (reader, writer):

        async def ask() -> None:
            writer.write(GOOD)
            await reader.readuntil(b"body")

        loop = asyncio.get_running_loop()
        end = loop.time() + 0.5

        async def ask_again() -> bool:
            await ask()
            return loop.time() > end

        await eventually(ask_again, lambda over: over)
        writer.write(b"GET /work HTTP/1.1\r\nHost: t\r\n\r\n")
        await let_time_pass(0.4)
        door.application[LET_GO].set()
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        writer.write(HEAD)
        assert (await read_all(reader)).startswith(b"HTTP/1.1 408 ")


async def test_an_answer_that_nobody_takes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "ANSWER_SECONDS_MAX", 0.2)
    async with open_door() as door, door.enter() as (_, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET /tell HTTP/1.1\r\nHost: t\r\n\r\n")
        async with asyncio.timeout(SECONDS_MAX):
            transport = await door.application[ASKED]

        async def is_hung_up() -> bool:
            return transport.is_closing()

        await eventually(is_hung_up, lambda done: done)


@pytest.mark.parametrize("sent", [b"", HEAD, CHUNKED + b"\r\n1\r\n"])
async def test_who_keeps_us_waiting_longest_gives_its_place_to_who_comes(sent: bytes) -> None:
    async with open_door(connections_max=CONNECTIONS_MAX) as door, AsyncExitStack() as crowd:
        first = [await crowd.enter_async_context(door.enter(sent)) for _ in range(CROWD)]
        await door.require_good()
        assert await first[0][0].read() == b""
        assert not first[-1][0].at_eof()


async def test_who_is_worked_for_keeps_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    async with open_door(connections_max=2) as door, AsyncExitStack() as held:
        work = b"GET /work HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"
        workers = [await held.enter_async_context(door.enter(work)) for _ in range(2)]
        for _ in workers:
            await door.application[WORKING].acquire()
        with logging_as_a_service():
            answer = await door.say(GOOD)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 1\r\n" in answer
        assert_tells_nothing(answer)
        assert '"status": 503' in capsys.readouterr().out
        door.application[LET_GO].set()
        for reader, _ in workers:
            assert (await read_all(reader)).startswith(b"HTTP/1.1 200 ")
        await door.require_good()


class Defects(logging.Handler):
    """What the libraries say of defects."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[object] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append((record.getMessage(), record.exc_info))

    def note(self, _: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        self.found.append(context)

    def __enter__(self) -> Self:
        http.LOGGER.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        http.LOGGER.removeHandler(self)


TOKENS = st.sampled_from(
    [
        *(b"GET ", b"POST ", b"/take", b" HTTP/1.1\r\n", b"Host: t\r\n", b"\r\n", b"\n", b"0\r\n"),
        *(b"Content-Length: 4\r\n", b"Transfer-Encoding: chunked\r\n", b"4\r\n", b"body", b": "),
        *(b"Connection: close\r\n", b"Upgrade: websocket\r\n", b"Expect: 100-continue\r\n", GOOD),
        *(CHUNKED + b"\r\n", HEAD, b"POST /take HTTP/1.1\r\nHost: t\r\nContent-Length: 99\r\n\r\n"),
        *(b"Content-Encoding: gzip\r\n", b"ffffffffffffffff\r\n", b"-1\r\n", b"\xff" * 100),
    ]
)


# What comes at once.
PIECES = st.lists(TOKENS | st.binary(max_size=20), min_size=1, max_size=8).map(b"".join)


@settings(max_examples=EXAMPLES)
@given(pieces=st.lists(PIECES, max_size=5), waits=st.booleans())
def test_whatever_is_sent_the_next_good_caller_is_served(
    pieces: list[bytes], *, waits: bool
) -> None:
    """And nothing of it is a defect: no line has a trace. By the loop that services run by."""
    uvloop.run(_send_and_serve(pieces, waits=waits))


async def _send_and_serve(pieces: list[bytes], *, waits: bool) -> None:
    with Defects() as defects:
        asyncio.get_running_loop().set_exception_handler(defects.note)
        async with open_door() as door:
            async with door.enter() as (reader, writer):
                # It may be hung up on before it has said all.
                with suppress(OSError, RuntimeError):
                    for piece in pieces:
                        writer.write(piece)
                        await let_time_pass(0.0005)
                    if waits:
                        writer.write_eof()
                if waits:
                    async with asyncio.timeout(SECONDS_MAX):
                        await read_all(reader)
            await door.require_good()
    assert defects.found == []
