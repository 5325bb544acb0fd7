"""Stands between the wire and every servicer: access, rules, log context, metrics and errors."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, aclosing, nullcontext
from datetime import timedelta
from logging import INFO, WARNING
from time import perf_counter
from typing import Any, Final, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from libs.errors import (
    DomainError,
    ErrorReason,
    InvalidArgumentError,
    OverloadedError,
    invalid_field,
)
from libs.logs import enter_call, get_logger
from libs.metrics import ServiceMetrics
from libs.rpc.access import Access
from libs.rpc.callers import Caller
from libs.rpc.messages import Messages
from libs.rpc.reflection import REFLECTION_METHODS
from libs.rpc.rules import check_request, write_caller

ERROR_DOMAIN: Final = "tollgate"
HEALTH_METHODS: Final = ("/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch")

CODES: Final = {
    ErrorReason.WALLET_NOT_FOUND: code_pb2.NOT_FOUND,
    ErrorReason.PAYMENT_NOT_FOUND: code_pb2.NOT_FOUND,
    ErrorReason.CAMPAIGN_NOT_FOUND: code_pb2.NOT_FOUND,
    ErrorReason.SUBACCOUNT_NOT_FOUND: code_pb2.NOT_FOUND,
    ErrorReason.SUBSCRIPTION_NOT_FOUND: code_pb2.NOT_FOUND,
    ErrorReason.EVENT_NOT_FOUND: code_pb2.NOT_FOUND,
    ErrorReason.HOLD_NOT_FOUND: code_pb2.NOT_FOUND,
    ErrorReason.INSUFFICIENT_FUNDS: code_pb2.FAILED_PRECONDITION,
    ErrorReason.WALLET_FROZEN: code_pb2.FAILED_PRECONDITION,
    ErrorReason.CURRENCY_MISMATCH: code_pb2.FAILED_PRECONDITION,
    ErrorReason.BALANCE_LIMIT_EXCEEDED: code_pb2.FAILED_PRECONDITION,
    ErrorReason.NOT_ELIGIBLE: code_pb2.FAILED_PRECONDITION,
    ErrorReason.INVALID_STATE: code_pb2.FAILED_PRECONDITION,
    ErrorReason.HOLD_NOT_OPEN: code_pb2.FAILED_PRECONDITION,
    ErrorReason.CAPTURE_EXCEEDS_HOLD: code_pb2.FAILED_PRECONDITION,
    ErrorReason.EVENT_BODY_EXPIRED: code_pb2.FAILED_PRECONDITION,
    ErrorReason.REFERENCE_CONFLICT: code_pb2.ALREADY_EXISTS,
    ErrorReason.ALREADY_LINKED: code_pb2.ALREADY_EXISTS,
    ErrorReason.INVALID_ARGUMENT: code_pb2.INVALID_ARGUMENT,
    ErrorReason.DATABASE_UNAVAILABLE: code_pb2.UNAVAILABLE,
    ErrorReason.PROVIDER_UNAVAILABLE: code_pb2.UNAVAILABLE,
    ErrorReason.SERVICE_UNAVAILABLE: code_pb2.UNAVAILABLE,
    ErrorReason.OVERLOADED: code_pb2.RESOURCE_EXHAUSTED,
    ErrorReason.UNAUTHENTICATED: code_pb2.UNAUTHENTICATED,
    ErrorReason.PERMISSION_DENIED: code_pb2.PERMISSION_DENIED,
}

# Somebody is set up wrongly, or attacks.
OF_ACCESS: Final = {ErrorReason.UNAUTHENTICATED, ErrorReason.PERMISSION_DENIED}

Behavior = Callable[[Any, Any], Awaitable[Any]]
KeepOpen = Callable[[Caller | None], AbstractContextManager[Any]]
StreamingBehavior = Callable[[Any, Any], AsyncGenerator[Any, None]]


class Boundary(grpc.aio.ServerInterceptor):  # type: ignore[misc,type-arg,unused-ignore]
    """The one interceptor of every service."""

    def __init__(self, metrics: ServiceMetrics, access: Access) -> None:
        self._metrics = metrics
        self._access = access
        self._messages = Messages()
        self._handlers: dict[str, Any] = {}

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Answer the guarded handler of a method; a method is guarded once, not with each call."""
        method: str = handler_call_details.method
        if method not in self._handlers:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            self._handlers[method] = self._guard_handler(method, handler)
        return self._handlers[method]

    def _guard_handler(self, method: str, handler: Any) -> Any:
        if method in REFLECTION_METHODS:
            return self._guard_reflection(method, handler)
        if method in HEALTH_METHODS:
            return self._guard_health(method, handler)
        if not method.startswith("/tollgate."):
            # What a library registers, and does not implement.
            return None
        # Handlers ask for the message themselves: who may not call is refused before it has come,
        # and what cannot be decoded is answered as well.
        decode, encode = handler.request_deserializer, handler.response_serializer
        if handler.response_streaming:
            guarded = self._guard(method, decode, self._write_all(handler.unary_stream))
            return grpc.stream_stream_rpc_method_handler(guarded, response_serializer=encode)
        guarded = self._guard(method, decode, handler.unary_unary)
        return grpc.stream_unary_rpc_method_handler(guarded, response_serializer=encode)

    def _guard(self, path: str, decode: Callable[[bytes], Message], behavior: Behavior) -> Behavior:
        method = path.rpartition("/")[2]
        identify, admit = self._access.identify, self._access.admit
        read = self._messages.read
        observe_seconds = self._metrics.rpc_seconds.labels(method).observe
        count_success = self._metrics.rpcs.labels(method, "OK").inc

        async def guarded(_bodies: Any, context: Any) -> Any:
            started = perf_counter()
            try:
                caller = identify(context)
                admit(path, caller)
                body = await read(context)
                started = perf_counter()
                request = _decode(decode, body)
                enter_call(method, request, caller)
                if caller is not None:
                    write_caller(request, caller.subject)
                check_request(request)
                response = await behavior(request, context)
                count_success()
                return response
            except Exception as error:  # noqa: BLE001 - whatever it is, the client hears of it
                await self._abort(method, error, context)
            finally:
                observe_seconds(perf_counter() - started)

        return guarded

    def _write_all(self, behavior: StreamingBehavior) -> Behavior:
        """Make a stream one answer to wait for, which ends the behavior at once with the call."""
        access = self._access

        async def write_all(request: Message, context: Any) -> None:
            with access.keep_open(access.identify(context)):
                async with aclosing(behavior(request, context)) as responses:
                    async for response in responses:
                        # Who was believed when it began may not be any more.
                        access.identify(context)
                        await _write(context, response)

        return write_all

    def _guard_health(self, path: str, handler: Any) -> Any:
        method = path.rpartition("/")[2]
        answer = handler.unary_stream or handler.unary_unary
        make = grpc.unary_unary_rpc_method_handler
        keep_open: KeepOpen = nullcontext
        if handler.response_streaming:
            make, keep_open = grpc.unary_stream_rpc_method_handler, self._access.keep_open

        async def guarded(body: bytes, context: Any) -> Any:
            try:
                with keep_open(self._access.admit_to_health(context)):
                    return await answer(_decode(handler.request_deserializer, body), context)
            except DomainError as error:
                await self._abort(method, error, context)

        return make(guarded, response_serializer=handler.response_serializer)

    def _guard_reflection(self, path: str, handler: Any) -> Any:
        method = path.rpartition("/")[2]
        access = self._access

        async def admitted(bodies: Any, context: Any) -> AsyncIterator[Any]:
            async for body in bodies:
                access.admit(path, access.identify(context))
                yield _decode(handler.request_deserializer, body)

        async def guarded(bodies: Any, context: Any) -> AsyncIterator[Any]:
            try:
                caller = access.identify(context)
                access.admit(path, caller)
                with access.keep_open(caller):
                    requests = admitted(bodies, context)
                    async for response in handler.stream_stream(requests, context):
                        yield response
            except DomainError as error:
                await self._abort(method, error, context)

        return grpc.stream_stream_rpc_method_handler(
            guarded, response_serializer=handler.response_serializer
        )

    async def _abort(self, method: str, error: Exception, context: Any) -> NoReturn:
        await context.abort_with_status(rpc_status.to_status(self._refuse(method, error)))
        raise AssertionError("an aborted call goes on")

    def _refuse(self, method: str, error: Exception) -> status_pb2.Status:
        if isinstance(error, DomainError):
            self._metrics.rpcs.labels(method, error.reason).inc()
            get_logger().log(
                WARNING if error.reason in OF_ACCESS else INFO,
                "rpc_refused",
                method=method,
                reason=error.reason,
                metadata=error.metadata,
            )
            return to_status(error)
        self._metrics.rpcs.labels(method, "INTERNAL").inc()
        get_logger().error("rpc_failed", exc_info=error)
        return to_status(error)


async def _write(context: Any, response: Message) -> None:
    try:
        await context.write(response)
    except grpc.aio.BaseError as error:
        # The client is gone or the server ends: nobody is left to answer.
        raise asyncio.CancelledError from error


def _decode(decode: Callable[[bytes], Message], body: bytes) -> Message:
    try:
        return decode(body)
    except DecodeError as error:
        raise invalid_field("request", "cannot be decoded") from error


def to_status(error: Exception) -> status_pb2.Status:
    """Return the status with its details that tells a client of the error; of a defect, nothing."""
    if not isinstance(error, DomainError):
        return status_pb2.Status(code=code_pb2.INTERNAL, message="internal error")
    status = status_pb2.Status(code=CODES[error.reason], message=error.message)
    info = error_details_pb2.ErrorInfo(
        reason=error.reason, domain=ERROR_DOMAIN, metadata=error.metadata
    )
    status.details.append(_pack(info))
    if isinstance(error, InvalidArgumentError):
        status.details.append(_pack(_bad_request(error)))
    if isinstance(error, OverloadedError):
        status.details.append(_pack(_retry_info(error)))
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


def _retry_info(error: OverloadedError) -> error_details_pb2.RetryInfo:
    delay = Duration()
    delay.FromTimedelta(timedelta(seconds=error.retry_after_seconds))
    return error_details_pb2.RetryInfo(retry_delay=delay)


def _pack(detail: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(detail)
    return packed
