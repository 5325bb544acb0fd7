"""Channels that show the newest certificates, without a call that fails for it."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

import grpc

from libs.rpc.credentials import Certificates, WatchedCertificates
from libs.tracing import client_interceptors

OPTIONS: Final = (
    # gRPC would wait up to two minutes before it looks again for a service that was restarted.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # How long it may take to connect, with the handshake: a busy service is no absent one.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.keepalive_time_ms", 30_000),
    # A proxy of the environment would hear of every call, and be all that is reached.
    ("grpc.enable_http_proxy", 0),
)
# Calls that began on a connection with older certificates may end there.
CLOSE_GRACE_SECONDS = 30.0


def open_channel(address: str, certificates: Certificates | None = None) -> grpc.aio.Channel:
    """Return a channel that connects when it is first used, and again whenever it must.

    Without certificates it is plaintext, which only a service of this machine may speak.
    """
    interceptors = client_interceptors()
    if certificates is None:
        return grpc.aio.insecure_channel(address, options=OPTIONS, interceptors=interceptors)
    return grpc.aio.secure_channel(
        address, certificates.for_client(), options=OPTIONS, interceptors=interceptors
    )


def open_renewed_channel(
    address: str, certificates: WatchedCertificates | None
) -> grpc.aio.Channel:
    """Return a channel for stubs that moves to new certificates by itself."""
    # It has what our stubs ask of a channel, and no more.
    return cast("grpc.aio.Channel", RenewedChannel(address, certificates))


class RenewedChannel:
    """A channel over whose newest connection each call goes."""

    def __init__(self, address: str, certificates: WatchedCertificates | None) -> None:
        self._address = address
        self._certificates = certificates
        self._shown = certificates.current if certificates else None
        self._channel = open_channel(address, self._shown)
        self._closing = set[asyncio.Task[None]]()

    def unary_unary(self, *args: Any, **kwargs: Any) -> "RenewedMethod":
        """Return a method that is called over whichever connection is the newest."""
        return RenewedMethod(self, lambda channel: channel.unary_unary(*args, **kwargs))

    def unary_stream(self, *args: Any, **kwargs: Any) -> "RenewedMethod":
        """Return a method that is called over whichever connection is the newest."""
        return RenewedMethod(self, lambda channel: channel.unary_stream(*args, **kwargs))

    def newest(self) -> grpc.aio.Channel:
        """Return the channel with the newest certificates."""
        newest = self._certificates.look() if self._certificates else None
        if newest is not self._shown:
            self._shown, old = newest, self._channel
            self._channel = open_channel(self._address, newest)
            task = asyncio.create_task(old.close(CLOSE_GRACE_SECONDS))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        return self._channel

    async def close(self) -> None:
        """Close every connection."""
        for task in self._closing:
            task.cancel()
        await asyncio.gather(*self._closing, self._channel.close(), return_exceptions=True)


class RenewedMethod:
    """One method of a channel that is renewed."""

    def __init__(
        self, channel: RenewedChannel, make: Callable[[grpc.aio.Channel], Callable[..., Any]]
    ) -> None:
        self._channel = channel
        self._make = make
        self._made_of = channel.newest()
        self._call = make(self._made_of)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it."""
        channel = self._channel.newest()
        if channel is not self._made_of:
            self._made_of, self._call = channel, self._make(channel)
        return self._call(*args, **kwargs)
