"""Calls to the services that run, as the operator whose certificate is given."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from libs.rpc.channel import open_channel
from libs.rpc.credentials import read_certificates
from libs.rpc.proof import CertificatesUnusableError
from preflight.given import Given


@asynccontextmanager
async def channel_to(given: Given, service: str) -> AsyncIterator[grpc.aio.Channel | None]:
    """Yield a channel; None if it is not known where to, or as whom."""
    if given.operator_console is None or given.preflight is None:
        yield None
        return
    try:
        certificates = read_certificates(given.preflight.operator_tls_directory)
    except CertificatesUnusableError:
        # That is told of without asking anybody.
        yield None
        return
    async with open_channel(given.operator_console.services[service], certificates) as channel:
        yield channel
