"""Spans: what they are called, who they work for, and what is never written into them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.trace import Span, StatusCode, get_current_span, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from libs.logs import known_ids

FIELDS: Final = ("traceparent", "tracestate")
# No baggage: whatever a caller writes there would be passed on to everybody.
PROPAGATOR: Final = TraceContextTextMapPropagator()


@contextmanager
def within(span: Span) -> Iterator[Span]:
    """Work on something until the end of the block, and name whose it was."""
    with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield span
        finally:
            if span.is_recording():
                span.set_attributes({f"tollgate.{name}": id_ for name, id_ in known_ids().items()})


@contextmanager
def blaming(span: Span) -> Iterator[None]:
    """Tell what goes wrong by its type alone: texts of errors may quote what was asked."""
    try:
        yield
    except BaseException as error:
        blame(span, type(error).__name__)
        raise


def blame(span: Span, error_type: str) -> None:
    """Let a span be one that failed."""
    span.set_attribute("error.type", error_type)
    span.set_status(StatusCode.ERROR)


def context_told(carrier: Mapping[str, str]) -> Context:
    """Return the context that somebody tells of; without one, that of nobody."""
    return PROPAGATOR.extract(carrier, Context())


def traceparent() -> str | None:
    """Return what is being worked on now, as others are told of it."""
    carrier: dict[str, str] = {}
    PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


def trace_ids() -> dict[str, Any]:
    """Return the ids of what is being worked on now, as lines of logs have them."""
    context = get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
