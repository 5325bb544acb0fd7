"""Clients that send a byte now and then, or nothing: they are given up, and hold up nobody."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import aiohttp
import pytest

from dev.stripe_simulator import Customer, signature_header, to_body, top_up_event
from libs.http import CONNECTIONS_MAX
from services.billing_gateway import bodies
from tests.integration.billing_gateway.requests import events_of, settled
from tests.support.stack import STRIPE_SECRET, Stack, now

# More than work at anything at once in the gateway.
CLIENTS = 50
HEAD = b"POST /webhooks/stripe HTTP/1.1\r\nHost: gateway\r\n"
LENGTH = b"Content-Length: 100000\r\n"
PAUSE_SECONDS = 0.05


async def connect(stack: Stack) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = stack.addresses["http"].rpartition(":")
    return await asyncio.open_connection(host, int(port))


@asynccontextmanager
async def dripping(stack: Stack, begin: bytes) -> AsyncIterator[asyncio.Task[bytes]]:
    """Let a client send its beginning, then byte after byte; the task returns the answer."""
    reader, writer = await connect(stack)
    writer.write(begin)

    async def drip() -> bytes:
        while True:
            writer.write(b" ")
            try:
                return await asyncio.wait_for(reader.readline(), PAUSE_SECONDS)
            except TimeoutError:
                continue

    task = asyncio.create_task(drip())
    try:
        yield task
    finally:
        task.cancel()
        writer.close()


async def deliver(stack: Stack) -> None:
    event = top_up_event(Customer("org-1"), 2_500, now())
    assert await stack.deliver(event) == 200
    await settled(stack, event)


async def test_a_body_that_comes_byte_by_byte_is_given_up(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS_MAX", 1.0)
    async with AsyncExitStack() as slow:
        answers = [
            await slow.enter_async_context(dripping(stack, HEAD + LENGTH + b"\r\n"))
            for _ in range(CLIENTS)
        ]
        await deliver(stack)
        lines = await asyncio.gather(*answers)
    assert {line.split()[1] for line in lines} == {b"408"}
    assert len(await events_of(stack)) == 1


async def test_headers_that_never_end_hold_up_nobody(stack: Stack) -> None:
    async with AsyncExitStack() as slow:
        answers = [
            await slow.enter_async_context(dripping(stack, HEAD + b"X-Slow: "))
            for _ in range(CLIENTS)
        ]
        await deliver(stack)
        assert not any(answer.done() for answer in answers)
        # Nor does it keep the gateway from stopping.
        await stack.stop("billing_gateway")


async def test_what_a_client_did_not_finish_is_not_kept(stack: Stack) -> None:
    """What came of it was signed by Stripe."""
    body = to_body(top_up_event(Customer("org-1"), 2_500, now()))
    signature = f"Stripe-Signature: {signature_header(body, STRIPE_SECRET)}\r\n".encode()
    async with dripping(stack, HEAD + LENGTH + signature + b"\r\n" + body):
        pass
    await deliver(stack)
    assert len(await events_of(stack)) == 1


async def test_bodies_that_are_refused_before_they_are_read(stack: Stack) -> None:
    """Or as soon as more was read than is taken."""
    too_long = b"Content-Length: %d\r\n" % (bodies.BODY_BYTES_MAX + 1)
    chunk = b"%x\r\n" % (bodies.BODY_BYTES_MAX + 1) + b" " * (bodies.BODY_BYTES_MAX + 1)
    for sent, status in (
        (b"", b"411"),
        (too_long, b"413"),
        (b"Transfer-Encoding: chunked\r\n\r\n" + chunk, b"413"),
        (b"Content-Length: 0\r\n", b"400"),
    ):
        reader, writer = await connect(stack)
        writer.write(HEAD + sent + b"\r\n")
        assert (await reader.readline()).split()[1] == status
        writer.transport.abort()
    await deliver(stack)


async def test_what_cannot_be_taken_now_is_to_be_sent_again_soon(stack: Stack) -> None:
    url = f"http://{stack.addresses['http']}/webhooks/paypal"
    async with stack.http.post(url, data=b"{}") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


async def test_a_crowd_that_says_nothing_slows_down_nobody(stack: Stack) -> None:
    """It is larger than the gateway has places."""
    before = await quickest(stack)
    crowd = [await connect(stack) for _ in range(4 * CONNECTIONS_MAX)]
    try:
        assert await quickest(stack) < 3 * before + 0.05
        gone = sum(reader.at_eof() or reader.exception() is not None for reader, _ in crowd)
        assert CONNECTIONS_MAX <= gone < len(crowd)
    finally:
        for _, writer in crowd:
            writer.transport.abort()


async def quickest(stack: Stack) -> float:
    """Return the seconds of the quickest of some deliveries, each by a connection of its own."""
    seconds = []
    for _ in range(5):
        async with aiohttp.ClientSession() as http:
            start = time.perf_counter()
            event = top_up_event(Customer("org-1"), 2_500, now())
            assert await replace(stack, http=http).deliver(event) == 200
            seconds.append(time.perf_counter() - start)
    return min(seconds)
