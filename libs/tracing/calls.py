"""Spans of gRPC calls, answered and asked."""

from typing import Any, Final

import grpc
from opentelemetry.trace import Span, SpanKind, Tracer

from libs.tracing.spans import FIELDS, PROPAGATOR, blame, context_told, within

# Whoever called is not to blame for these.
FAULTS: Final = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)


class AnsweredCalls(grpc.aio.ServerInterceptor):  # type: ignore[misc,type-arg,unused-ignore]
    """A span for each call of our own methods, in the trace that its caller names."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._handlers: dict[str, Any] = {}

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Answer the traced handler of a method; it is made once, not with each call."""
        method: str = handler_call_details.method
        if method not in self._handlers:
            handler = await continuation(handler_call_details)
            if handler is None or not method.startswith("/tollgate."):
                return handler
            self._handlers[method] = self._trace(method, handler)
        return self._handlers[method]

    def _trace(self, method: str, handler: Any) -> Any:
        make, behavior = grpc.stream_unary_rpc_method_handler, handler.stream_unary
        if handler.response_streaming:
            make, behavior = grpc.stream_stream_rpc_method_handler, handler.stream_stream

        async def traced(bodies: Any, context: Any) -> Any:
            told = {key: value for key, value in context.invocation_metadata() if key in FIELDS}
            with within(_start(self._tracer, method, SpanKind.SERVER, told)) as span:
                try:
                    return await behavior(bodies, context)
                finally:
                    _note_code(span, context.code() or grpc.StatusCode.OK)

        return make(traced, response_serializer=handler.response_serializer)


class AskedCalls(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc,type-arg,unused-ignore]
    """A span for each call of another service, which is told of the trace."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    async def intercept_unary_unary(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        """Call, and wait for the answer, within a span."""
        method = client_call_details.method.decode()
        with within(_start(self._tracer, method, SpanKind.CLIENT)) as span:
            code = grpc.StatusCode.CANCELLED
            try:
                call = await continuation(_with_trace(client_call_details), request)
                await call
                code = grpc.StatusCode.OK
            except grpc.aio.AioRpcError as error:
                code = error.code()
            finally:
                _note_code(span, code)
        return call


def _start(tracer: Tracer, method: str, kind: SpanKind, told: dict[str, str] | None = None) -> Span:
    service, _, name = method[1:].rpartition("/")
    attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}
    context = None if told is None else context_told(told)
    return tracer.start_span(method[1:], context, kind, attributes)


def _note_code(span: Span, code: grpc.StatusCode) -> None:
    span.set_attribute("rpc.grpc.status_code", code.value[0])
    if code in FAULTS:
        blame(span, code.name)


def _with_trace(details: Any) -> Any:
    metadata = grpc.aio.Metadata(*(details.metadata or ()))
    carrier: dict[str, str] = {}
    PROPAGATOR.inject(carrier)
    for key, value in carrier.items():
        metadata.add(key, value)
    return details._replace(metadata=metadata)
