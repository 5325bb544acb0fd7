"""Calls to another service: a deadline on each, and its errors in the words of the contract."""

from typing import Any, Final, TypeVar

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from libs.errors import DomainError, ErrorReason
from libs.logs import get_logger

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")

CHANNEL_OPTIONS: Final = (
    # gRPC would wait up to two minutes before it looks again for a service that was restarted.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 30_000),
)


def open_channel(address: str) -> grpc.aio.Channel:
    """Return a channel that connects when it is first used, and again whenever it must."""
    return grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)


async def call(
    service: str,
    method: "grpc.aio.UnaryUnaryMultiCallable[RequestT, ResponseT]",
    request: RequestT,
    timeout_seconds: float,
) -> ResponseT:
    """Return the other service's answer, or raise its DomainError, or SERVICE_UNAVAILABLE."""
    try:
        return await method(request, timeout=timeout_seconds)
    except grpc.aio.AioRpcError as error:
        raise _to_domain_error(service, error) from error


def _to_domain_error(service: str, error: grpc.aio.AioRpcError) -> DomainError:
    info = _error_info(error)
    # OVERLOADED promises that nothing was done; here, before this call, something may have been.
    if info is not None and info.reason in set(ErrorReason) - {ErrorReason.OVERLOADED}:
        return DomainError(ErrorReason(info.reason), error.details() or "", **info.metadata)
    get_logger().warning(
        "service_did_not_answer", called=service, code=error.code().name, error=error.details()
    )
    return DomainError(
        ErrorReason.SERVICE_UNAVAILABLE,
        f"{service} did not answer ({error.code().name})",
        service=service,
    )


def _error_info(error: Any) -> error_details_pb2.ErrorInfo | None:
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    for detail in status.details if status is not None else ():
        if detail.Unpack(info):
            return info
    return None
