"""Clients that send a byte now and then: they are given up, and hold up nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from dev.stripe_simulator import Customer, signature_header, to_body, top_up_event
from services.billing_gateway import webhooks
from tests.integration.billing_gateway.requests import events_of, settled
from tests.support.stack import STRIPE_SECRET, Stack, now

# More than work at anything at once in the gateway.
CLIENTS = 50
HEAD = b"POST /webhooks/stripe HTTP/1.1\r\nHost: gateway\r\n"
LENGTH = b"Content-Length: 100000\r\n"
PAUSE_SECONDS = 0.05


@asynccontextmanager
async def dripping(stack: Stack, begin: bytes) -> AsyncIterator[asyncio.Task[bytes]]:
    """Let a client send its beginning, then byte after byte; the task returns the answer."""
    host, _, port = stack.addresses["http"].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
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
    monkeypatch.setattr(webhooks, "BODY_SECONDS_MAX", 1.0)
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
