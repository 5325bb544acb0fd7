"""What is counted of strangers' bodies: every byte that came, until its body is done with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from libs.http import HttpEndpoint
from libs.metrics import ServiceMetrics
from services.billing_gateway import bodies
from services.billing_gateway.domain.values import Provider
from services.billing_gateway.operations.intake import Intake
from services.billing_gateway.webhooks import Webhooks
from tests.support.fake_provider import FakeProvider

BYTES_MAX = 1000
SECONDS_MAX = 30
HEAD = b"POST /webhooks/stripe HTTP/1.1\r\nHost: t\r\n"
EXPECT = HEAD + b"Expect: 100-continue\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """Open a door where nothing is signed: what is read whole is answered 400."""
    monkeypatch.setattr(bodies, "BODY_BYTES_MAX", 2 * BYTES_MAX)
    monkeypatch.setattr(bodies, "BODIES_BYTES_MAX", BYTES_MAX)
    nowhere = cast(Any, None)
    providers = {Provider.STRIPE: FakeProvider(Provider.STRIPE)}
    intake = Intake(nowhere, providers, nowhere, lambda: datetime.now(UTC))
    endpoint = HttpEndpoint(Webhooks(intake, ServiceMetrics()).application(), "127.0.0.1:0")
    await endpoint.start()
    yield endpoint.port
    await endpoint.stop()


@asynccontextmanager
async def sending(port: int, sent: bytes) -> AsyncIterator[Ends]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    try:
        async with asyncio.timeout(SECONDS_MAX):
            yield reader, writer
    finally:
        writer.transport.abort()


def announced(length: int, sent: int) -> bytes:
    return HEAD + b"Content-Length: %d\r\n\r\n" % length + b" " * sent


async def answer_to(port: int, sent: bytes) -> int:
    async with sending(port, sent) as (reader, _):
        return int((await reader.readline()).split()[1])


async def require_nothing_is_held(port: int) -> None:
    """Not a byte more or less fits than all that may be held."""
    assert await answer_to(port, announced(BYTES_MAX, BYTES_MAX)) == 400
    assert await answer_to(port, announced(BYTES_MAX + 1, BYTES_MAX + 1)) == 503


async def test_what_is_announced_but_does_not_come_takes_no_room(port: int) -> None:
    async with sending(port, announced(BYTES_MAX, 0)), sending(port, announced(BYTES_MAX, 0)):
        await require_nothing_is_held(port)


async def test_however_a_body_ends_its_room_is_free_again(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    too_large = b"%x\r\n" % (3 * BYTES_MAX) + b" " * 3 * BYTES_MAX
    assert await answer_to(port, HEAD + CHUNKED + too_large) == 413
    assert await answer_to(port, HEAD + CHUNKED + b"3\r\nabc\r\nno chunk\r\n") == 400
    async with sending(port, announced(BYTES_MAX, 10)) as (_, writer):
        await writer.drain()
    await require_nothing_is_held(port)

    with monkeypatch.context() as hurried:
        hurried.setattr(bodies, "BODY_SECONDS_MAX", 0.05)
        assert await answer_to(port, announced(BYTES_MAX, 10)) == 408
    await require_nothing_is_held(port)


async def test_who_has_been_waited_for_longest_is_told_to_come_again(port: int) -> None:
    async with (
        sending(port, announced(BYTES_MAX, 500)) as (first, _),
        sending(port, announced(BYTES_MAX, 400)) as (second, rest),
    ):
        assert await answer_to(port, announced(300, 300)) == 400
        answer = await first.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 1\r\n" in answer
        assert b"\r\nConnection: close\r\n" in answer
        rest.write(b" " * 600)
        assert (await second.readline()).split()[1] == b"400"
    await require_nothing_is_held(port)


async def test_who_asks_first_is_told_to_send_only_what_can_be_taken(port: int) -> None:
    """Or what else is wrong, without a word of its own."""
    length = b"Content-Length: %d\r\n\r\n"
    assert await answer_to(port, EXPECT + length % (2 * BYTES_MAX + 1)) == 413
    assert await answer_to(port, EXPECT + b"\r\n") == 411
    async with sending(port, HEAD + b"Expect: gold\r\n" + length % 2) as (reader, _):
        answer = await reader.readuntil(b"\r\n\r\n417: Expectation Failed")
        assert answer.startswith(b"HTTP/1.1 417 ")
        assert b"gold" not in answer
    async with sending(port, EXPECT + length % 2) as (reader, writer):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"{}")
        assert (await reader.readline()).split()[1] == b"400"
