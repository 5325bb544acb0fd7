"""Runs real services in the test's own loop, behind real gRPC channels."""

import itertools
import os
import random
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc
from pydantic import SecretStr

from libs.service import Service

ANY_PORT = "127.0.0.1:0"

# What tests care for only when they say so. SINGLE_WALLET_BATCHES=true runs all as on Citus.
WALLET_DEFAULTS: Mapping[str, Any] = {
    "chain_keys": (SecretStr("a key for tests, long enough for a chain"),),
    "single_wallet_batches": os.environ.get("SINGLE_WALLET_BATCHES") == "true",
}

# Below the ports that outgoing connections take, so that none of them gets in the way; and for each
# of the processes that run tests side by side others, since a port is taken only when it is used.
PORTS_PER_PROCESS = 2_500
PROCESS_NUMBER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
PORTS = (
    10_000 + PROCESS_NUMBER * PORTS_PER_PROCESS + number % PORTS_PER_PROCESS
    for number in itertools.count(random.randrange(PORTS_PER_PROCESS))
)


def free_address() -> str:
    """Return an address that nobody listens on, another one each time."""
    for port in PORTS:
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
        return f"127.0.0.1:{port}"
    raise AssertionError("no port is free")


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[grpc.aio.Channel]:
    """Start a service, hand out a channel to it, and stop it."""
    await service.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{service.port}") as channel:
            yield channel
    finally:
        await service.stop()
