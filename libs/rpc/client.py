"""Calls to another service: a deadline on each, and its errors in the words of the contract."""

from typing import Any, Final, TypeVar

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from libs.errors import DomainError, ErrorReason
from libs.logs import get_logger

# Not that nothing was done (OVERLOADED), since here, before this call, something may have been; and
# not that we may not call, which is no fault of our caller's.
TOLD_ON: Final = frozenset(ErrorReason) - {
    ErrorReason.OVERLOADED,
    ErrorReason.UNAUTHENTICATED,
    ErrorReason.PERMISSION_DENIED,
}

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


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
    info = error_info(error)
    if info is not None and info.reason in TOLD_ON:
        return DomainError(ErrorReason(info.reason), error.details() or "", **info.metadata)
    get_logger().warning(
        "service_did_not_answer", called=service, code=error.code().name, error=error.details()
    )
    return DomainError(
        ErrorReason.SERVICE_UNAVAILABLE,
        f"{service} did not answer ({error.code().name})",
        service=service,
    )


def error_info(error: Any) -> error_details_pb2.ErrorInfo | None:
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    for detail in status.details if status is not None else ():
        if detail.Unpack(info):
            return info
    return None
