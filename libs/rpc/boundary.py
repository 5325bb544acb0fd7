"""Stands between the wire and every servicer: rules, log context, metrics and errors."""

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, Final

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from structlog.contextvars import bound_contextvars

from libs.errors import DomainError, ErrorReason, InvalidArgumentError, invalid_field
from libs.logs import get_logger
from libs.metrics import ServiceMetrics
from libs.rpc.rules import check_request

ERROR_DOMAIN: Final = "tollgate"
LOGGED_LENGTH_MAX: Final = 128
LOGGED_FIELDS: Final = (
    "organization_id",
    "reference_id",
    "payment_id",
    "campaign_id",
    "event_id",
    "account_sid",
)

CODES: Final = {
    ErrorReason.WALLET_NOT_FOUND: code_pb2.NOT_FOUND,
    ErrorReason.PAYMENT_NOT_FOUND: code_pb2.NOT_FOUND,
    ErrorReason.CAMPAIGN_NOT_FOUND: code_pb2.NOT_FOUND,
    ErrorReason.SUBACCOUNT_NOT_FOUND: code_pb2.NOT_FOUND,
    ErrorReason.SUBSCRIPTION_NOT_FOUND: code_pb2.NOT_FOUND,
    ErrorReason.EVENT_NOT_FOUND: code_pb2.NOT_FOUND,
    ErrorReason.INSUFFICIENT_FUNDS: code_pb2.FAILED_PRECONDITION,
    ErrorReason.WALLET_FROZEN: code_pb2.FAILED_PRECONDITION,
    ErrorReason.CURRENCY_MISMATCH: code_pb2.FAILED_PRECONDITION,
    ErrorReason.BALANCE_LIMIT_EXCEEDED: code_pb2.FAILED_PRECONDITION,
    ErrorReason.NOT_ELIGIBLE: code_pb2.FAILED_PRECONDITION,
    ErrorReason.INVALID_STATE: code_pb2.FAILED_PRECONDITION,
    ErrorReason.REFERENCE_CONFLICT: code_pb2.ALREADY_EXISTS,
    ErrorReason.ALREADY_LINKED: code_pb2.ALREADY_EXISTS,
    ErrorReason.INVALID_ARGUMENT: code_pb2.INVALID_ARGUMENT,
    ErrorReason.DATABASE_UNAVAILABLE: code_pb2.UNAVAILABLE,
    ErrorReason.PROVIDER_UNAVAILABLE: code_pb2.UNAVAILABLE,
    ErrorReason.SERVICE_UNAVAILABLE: code_pb2.UNAVAILABLE,
}

Behavior = Callable[[Any, Any], Awaitable[Any]]


class Boundary(grpc.aio.ServerInterceptor):  # type: ignore[misc,type-arg,unused-ignore]
    """The one interceptor of every service."""

    def __init__(self, metrics: ServiceMetrics) -> None:
        self._metrics = metrics
        self._handlers: dict[str, Any] = {}

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Answer the guarded handler of a method; a method is guarded once, not with each call."""
        method: str = handler_call_details.method
        if method not in self._handlers:
            handler = await continuation(handler_call_details)
            if (
                handler is None
                or handler.unary_unary is None
                or not method.startswith("/tollgate.")
            ):
                return handler
            self._handlers[method] = self._guard_handler(method, handler)
        return self._handlers[method]

    def _guard_handler(self, method: str, handler: Any) -> Any:
        # Requests are decoded within the guard, so that what cannot be decoded is answered as well.
        return grpc.unary_unary_rpc_method_handler(
            self._guard(
                method.rpartition("/")[2], handler.request_deserializer, handler.unary_unary
            ),
            response_serializer=handler.response_serializer,
        )

    def _guard(
        self, method: str, decode: Callable[[bytes], Message], behavior: Behavior
    ) -> Behavior:
        observe_seconds = self._metrics.rpc_seconds.labels(method).observe
        count_success = self._metrics.rpcs.labels(method, "OK").inc

        async def guarded(body: bytes, context: Any) -> Any:
            started = perf_counter()
            try:
                request = _decode(decode, body)
                with bound_contextvars(method=method, **_logged_fields(request)):
                    response = await self._answer(behavior, request, context)
                count_success()
                return response
            except _Refused as refused:
                self._metrics.rpcs.labels(method, refused.reason).inc()
                await context.abort_with_status(rpc_status.to_status(refused.status))
            finally:
                observe_seconds(perf_counter() - started)

        return guarded

    async def _answer(self, behavior: Behavior, request: Message, context: Any) -> Any:
        try:
            check_request(request)
            return await behavior(request, context)
        except DomainError as error:
            get_logger().info("rpc_refused", reason=error.reason, **error.metadata)
            raise _Refused(error.reason, to_status(error)) from error
        except Exception as error:
            get_logger().exception("rpc_failed")
            internal = status_pb2.Status(code=code_pb2.INTERNAL, message="internal error")
            raise _Refused("INTERNAL", internal) from error


class _Refused(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, reason: str, status: status_pb2.Status) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


def _decode(decode: Callable[[bytes], Message], body: bytes) -> Message:
    try:
        return decode(body)
    except DecodeError as error:
        refusal = invalid_field("request", "cannot be decoded")
        raise _Refused(refusal.reason, to_status(refusal)) from error


def _logged_fields(request: Message) -> dict[str, str]:
    present = request.DESCRIPTOR.fields_by_name
    return {
        name: getattr(request, name)[:LOGGED_LENGTH_MAX]
        for name in LOGGED_FIELDS
        if name in present
    }


def to_status(error: DomainError) -> status_pb2.Status:
    """Return the status with its details that tells a client of the error."""
    status = status_pb2.Status(code=CODES[error.reason], message=error.message)
    info = error_details_pb2.ErrorInfo(
        reason=error.reason, domain=ERROR_DOMAIN, metadata=error.metadata
    )
    status.details.append(_pack(info))
    if isinstance(error, InvalidArgumentError):
        status.details.append(_pack(_bad_request(error)))
    return status


def _bad_request(error: InvalidArgumentError) -> error_details_pb2.BadRequest:
    return error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(
                field=violation.field, description=violation.description
            )
            for violation in error.violations
        ]
    )


def _pack(detail: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(detail)
    return packed
