"""HTTP doors: who is hung up on, and what is logged of what strangers send."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
import structlog
from aiohttp import web

from libs.http import HttpEndpoint
from libs.logs import configure_logs

SILENCE_SECONDS_MAX = 0.2


@asynccontextmanager
async def door() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Yield a connection to a door whose only page is broken."""

    async def fail(_: web.Request) -> web.Response:
        raise ValueError("a defect")

    application = web.Application()
    application.router.add_get("/", fail)
    endpoint = HttpEndpoint(application, "127.0.0.1:0", idle_seconds_max=SILENCE_SECONDS_MAX)
    await endpoint.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await endpoint.stop()


@pytest.mark.parametrize("sent", [b"", b"G", b"GET / HTTP/1.1\r\nHost: t\r\nX-"])
async def test_who_says_nothing_more_is_hung_up_on(sent: bytes) -> None:
    async with door() as (reader, writer):
        writer.write(sent)
        async with asyncio.timeout(30):
            assert await reader.read() == b""


@contextmanager
def logging() -> Iterator[None]:
    """Have this process log as a service does."""
    configure_logs("billing_gateway", "INFO")
    yield
    structlog.reset_defaults()


async def test_a_defect_of_ours_is_logged_with_its_trace(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with logging():
        async with door() as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
            assert b" 500 " in await reader.readline()
    [line] = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert told["level"] == "error"
    assert told["exception"][0]["frames"][-1]["name"] == "fail"
