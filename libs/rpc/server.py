"""The server that accepts calls: gRPC's own, but for two ways in which a caller could end it."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, Final

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined]
from grpc_status import rpc_status

from libs.errors import OverloadedError
from libs.logs import get_logger
from libs.rpc.boundary import to_status
from libs.rpc.callers import Caller, UnknownCallerError
from libs.rpc.proof import read_caller

# Of one call, counted as HTTP/2 does. Nothing here reads any but gRPC's own and a trace's.
METADATA_BYTES_MAX: Final = 8 * 1024
METADATUM_BYTES: Final = 32
# After more than that, none of the caller's calls is looked at for so long.
EXCESS_REST_SECONDS: Final = 1.0


def _quotes_no_stranger(record: logging.LogRecord) -> bool:
    """Tell whether a record is not of metadata that is no UTF-8, which anybody may send."""
    return not str(record.msg).startswith("Invalid encoding")


logging.getLogger("grpc._cython.cygrpc").addFilter(_quotes_no_stranger)

Options = Sequence[tuple[str, int]]


class Acceptor(cygrpc.AioServer):  # type: ignore[misc]
    """Accepts calls one by one, for the interceptors and servicers.

    What gRPC does in the loop that accepts must neither fail nor last, whatever has been sent:

    - It decodes the name of a method that nobody has registered. One that is no UTF-8 would end
      the loop, and the server with it: here such calls are refused without a look at their name.
    - It makes the metadata Python's before anybody is asked. gRPC's limit holds only for clients
      that have acknowledged it; until then a call of 8 KiB may unfold into 16 MiB.
    """

    def __init__(self, interceptors: Sequence[Any], options: Options) -> None:
        super().__init__(asyncio.get_running_loop(), None, (), interceptors, options, None)
        self._refusing = set[asyncio.Task[None]]()
        self._resting_until: dict[Caller | None, float] = {}

    async def _request_call(self) -> Any:
        while True:
            context = _context_of(await super()._request_call())
            self._refuse(context.abort(grpc.StatusCode.UNIMPLEMENTED, "unknown method"))

    async def _request_registered_call(self, method: bytes) -> Any:
        while True:
            call = await super()._request_registered_call(method)
            context = _context_of(call)
            if not self._is_too_much(context):
                return call
            error = OverloadedError(
                f"metadata of more than {METADATA_BYTES_MAX} bytes", EXCESS_REST_SECONDS
            )
            self._refuse(context.abort_with_status(rpc_status.to_status(to_status(error))))

    def _is_too_much(self, context: Any) -> bool:
        if self._resting_until and self._is_resting(context):
            return True
        size = sum(
            len(key) + len(value) + METADATUM_BYTES for key, value in context.invocation_metadata()
        )
        if size <= METADATA_BYTES_MAX:
            return False
        caller = _caller_of(context)
        self._resting_until[caller] = monotonic() + EXCESS_REST_SECONDS
        get_logger().warning("metadata_too_large", caller=str(caller), bytes=size)
        return True

    def _is_resting(self, context: Any) -> bool:
        now = monotonic()
        self._resting_until = {
            caller: until for caller, until in self._resting_until.items() if until > now
        }
        return bool(self._resting_until) and _caller_of(context) in self._resting_until

    def _refuse(self, refusal: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(_finish(refusal))
        self._refusing.add(task)
        task.add_done_callback(self._refusing.discard)


def _context_of(call: Any) -> Any:
    return cygrpc._ServicerContext(call, None, None, asyncio.get_running_loop())  # noqa: SLF001


def _caller_of(context: Any) -> Caller | None:
    """Return who calls; None, as one, are all whom no certificate names."""
    with suppress(UnknownCallerError, KeyError):
        return read_caller(context.auth_context())
    return None


async def _finish(refusal: Coroutine[Any, Any, None]) -> None:
    # It ends with an error of its own, or because the caller is gone.
    with suppress(grpc.aio.BaseError):
        await refusal


def make_server(interceptors: Sequence[Any], options: Options) -> grpc.aio.Server:
    """Return a server; a method is served only if it is registered, as generated code does."""
    server = grpc.aio.server()
    server._server = Acceptor(interceptors, options)  # type: ignore[attr-defined]  # noqa: SLF001
    return server
