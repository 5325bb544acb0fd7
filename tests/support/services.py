"""Runs real services in the test's own loop, behind real gRPC channels."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from libs.service import Service

ANY_PORT = "127.0.0.1:0"


def free_address() -> str:
    """Return an address that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[grpc.aio.Channel]:
    """Start a service, hand out a channel to it, and stop it."""
    await service.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{service.port}") as channel:
            yield channel
    finally:
        await service.stop()
