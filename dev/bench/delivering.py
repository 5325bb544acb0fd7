"""The client of ingest, as a process of its own: tells what it has measured as JSON.

The same bytes go to the bare handler and then to the gateway.
"""

import argparse
import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias

import uvloop

from dev.bench.deliveries import Delivery, Make, by_paypal, by_stripe, deliveries
from dev.bench.load import Timing, drive

IN_FLIGHT = 64
WARM_UP_DELIVERIES = 4 * IN_FLIGHT
SIGNED_BY = "BENCH_STRIPE_SECRET"
TAKEN = b"HTTP/1.1 200 "
END_OF_HEAD = b"\r\n\r\n"

Connection: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Delivered(NamedTuple):
    """How the same deliveries went, and when the gateway answered for each payment."""

    bare: Timing
    ingest: Timing
    answer_times: dict[str, float]


class FailedDeliveryError(Exception):
    """An answer that a provider would not take for success."""


class Connections:
    """Connections that stay open; each has one request under way at most."""

    def __init__(self, opened: Iterable[Connection]) -> None:
        self._free = list(opened)

    async def send(self, request: bytes) -> None:
        """Returns when it is taken: by an answer that has no body."""
        reader, writer = self._free.pop()
        writer.write(request)
        head = await reader.readuntil(END_OF_HEAD)
        if not head.startswith(TAKEN):
            raise FailedDeliveryError(head.decode(errors="replace"))
        self._free.append((reader, writer))


@asynccontextmanager
async def open_connections(address: str) -> AsyncIterator[Connections]:
    """As many as requests are in flight."""
    host, _, port = address.rpartition(":")
    opened = [await asyncio.open_connection(host, int(port)) for _ in range(IN_FLIGHT)]
    try:
        yield Connections(opened)
    finally:
        for _, writer in opened:
            writer.close()


def main() -> None:
    arguments = _arguments()
    made = list(deliveries(_maker(arguments), WARM_UP_DELIVERIES + arguments.count))
    delivered = uvloop.run(deliver_to_both(arguments.bare_address, arguments.address, made))
    print(json.dumps(delivered))


async def deliver_to_both(
    bare_address: str, gateway_address: str, made: Sequence[Delivery]
) -> Delivered:
    async with open_connections(bare_address) as bare, open_connections(gateway_address) as gateway:
        bare_timing, _ = await deliver(bare, made)
        ingest_timing, answer_times = await deliver(gateway, made)
        return Delivered(bare_timing, ingest_timing, answer_times)


async def deliver(
    connections: Connections, made: Sequence[Delivery]
) -> tuple[Timing, dict[str, float]]:
    """Delivers all; what warms up is not counted."""
    answer_times: dict[str, float] = {}

    async def send(delivery: Delivery) -> None:
        await connections.send(delivery.request)
        answer_times[delivery.payment_id] = time.time()

    await drive(send, made[:WARM_UP_DELIVERIES], IN_FLIGHT)
    answer_times.clear()
    return await drive(send, made[WARM_UP_DELIVERIES:], IN_FLIGHT), answer_times


def _maker(arguments: argparse.Namespace) -> Make:
    if arguments.provider == "stripe":
        return by_stripe(os.environ[SIGNED_BY])
    return by_paypal(arguments.certificates, arguments.webhook_id)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dev.bench.delivering", description=__doc__)
    parser.add_argument("--address", required=True, help="of the gateway")
    parser.add_argument("--bare-address", required=True)
    parser.add_argument("--count", type=int, required=True)
    provider = parser.add_subparsers(dest="provider", required=True)
    provider.add_parser("stripe")
    paypal = provider.add_parser("paypal")
    paypal.add_argument("--certificates", type=Path, required=True)
    paypal.add_argument("--webhook-id", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
