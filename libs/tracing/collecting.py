"""Traces by OpenTelemetry, sent to a collector.

Nothing of what is asked or answered goes into them: no messages, no headers, no values of
statements, no texts of errors. Who looks for those has the log, whose lines name the trace.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import grpc
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, SpanKind, get_current_span

from libs.tracing import spans
from libs.tracing.calls import AnsweredCalls, AskedCalls

# Nobody waits for a collector: what it does not take in time is dropped.
EXPORT_SECONDS_MAX = 5.0
CLOSE_MILLISECONDS_MAX = 2_000
# As in all our channels: a proxy of the environment would hear of everything.
NO_PROXY: Any = (("grpc.enable_http_proxy", 0),)
# Of a batch that works for a thousand calls.
LINKS_MAX = 32
STATEMENT_LENGTH_MAX = 1000


class Collecting:
    """The one tracing of a process."""

    def __init__(self, service: str, endpoint: str, share: float) -> None:
        self._exporter = OTLPSpanExporter(
            endpoint=endpoint,
            timeout=EXPORT_SECONDS_MAX,
            channel_options=NO_PROXY,
        )
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(share)),
            resource=Resource.create({"service.namespace": "tollgate", "service.name": service}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("tollgate")
        self.server_interceptors: Sequence[grpc.aio.ServerInterceptor] = (
            AnsweredCalls(self._tracer),
        )
        self.client_interceptors: Sequence[grpc.aio.ClientInterceptor] = (AskedCalls(self._tracer),)
        self.http_middlewares: Sequence[Middleware] = (self._trace_delivery,)

    def note_statement(self, statement: Any) -> None:
        """Note a statement of whoever works for a trace; not those of pollers."""
        if not get_current_span().is_recording():
            return
        end = time.time_ns()
        # Its text is one of ours; values are parameters, and are left out.
        text = " ".join(statement.query.split())[:STATEMENT_LENGTH_MAX]
        span = self._tracer.start_span(
            text.partition(" ")[0],
            kind=SpanKind.CLIENT,
            attributes={"db.system.name": "postgresql", "db.query.text": text},
            start_time=end - int(statement.elapsed * 1e9),
        )
        if statement.exception is not None:
            spans.blame(span, type(statement.exception).__name__)
        span.end(end)

    def log_ids(self) -> dict[str, Any]:
        """Return what lines of the log name of the trace that is worked for."""
        return spans.trace_ids()

    def cause(self) -> str | None:
        """Return what is being worked on now."""
        return spans.traceparent()

    @contextmanager
    def working(self, name: str, causes: Iterable[str | None]) -> Iterator[None]:
        """Work as a child of the first cause, with a link to each of the others.

        What nobody has asked for begins no trace: workers look for work all the time.
        """
        contexts = [
            spans.context_told({"traceparent": cause}) for cause in dict.fromkeys(causes) if cause
        ]
        if not contexts:
            yield
            return
        links = [
            Link(get_current_span(context).get_span_context())
            for context in islice(contexts, 1, LINKS_MAX)
        ]
        span = self._tracer.start_span(name, contexts[0], SpanKind.CONSUMER, links=links)
        with spans.within(span), spans.blaming(span):
            yield

    @web.middleware
    async def _trace_delivery(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        # A trace begins here: what strangers tell of theirs is not believed.
        route = request.match_info.route.resource
        name = f"{request.method} {route.canonical if route else 'unknown'}"
        span = self._tracer.start_span(name, Context(), SpanKind.SERVER)
        with spans.within(span), spans.blaming(span):
            answer = await handler(request)
            span.set_attribute("http.response.status_code", answer.status)
            return answer

    def close(self) -> None:
        """Send what is left, if anybody takes it soon."""
        self._provider.force_flush(CLOSE_MILLISECONDS_MAX)
        self._exporter.shutdown(CLOSE_MILLISECONDS_MAX)
