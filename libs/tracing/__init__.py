"""Traces of calls through all services, where somebody collects them.

Where nobody does, nothing of OpenTelemetry is even loaded, and no call passes through more hands.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol


class Tracing(Protocol):
    """What writes down which work was done for which call."""

    # Of gRPC and of aiohttp, which not everybody who traces may know.
    server_interceptors: Sequence[Any]
    client_interceptors: Sequence[Any]
    http_middlewares: Sequence[Any]

    def note_statement(self, statement: Any) -> None:
        """Note a statement that a connection of asyncpg has run."""
        ...

    def cause(self) -> str | None:
        """Return what is being worked on now, as a traceparent that may be kept."""
        ...

    def working(self, name: str, causes: Iterable[str | None]) -> AbstractContextManager[object]:
        """Until the end of the block, work for the first of the causes, and for all others."""
        ...


_tracing: Tracing | None = None


def trace_by(tracing: Tracing | None) -> None:
    """Trace by this, or no more, all that is opened and asked from now on."""
    global _tracing  # noqa: PLW0603 - as with logs, there is one for a process
    _tracing = tracing


def server_interceptors() -> Sequence[Any]:
    """Return what is to stand before everything else that answers calls."""
    return _tracing.server_interceptors if _tracing else ()


def client_interceptors() -> Sequence[Any]:
    """Return what is to stand between stubs and a channel."""
    return _tracing.client_interceptors if _tracing else ()


def http_middlewares() -> Sequence[Any]:
    """Return what is to stand before the handlers of an application."""
    return _tracing.http_middlewares if _tracing else ()


def statement_listener() -> Callable[[Any], None] | None:
    """Return what every connection to a database is to tell of its statements."""
    return _tracing.note_statement if _tracing else None


def cause() -> str | None:
    """Return what is being worked on now, so that work that is done later may name it."""
    return _tracing.cause() if _tracing else None


def working(name: str, causes: Iterable[str | None] = ()) -> AbstractContextManager[object]:
    """Until the end of the block, work on what the causes have asked for, or on nobody's behalf."""
    return _tracing.working(name, causes) if _tracing else nullcontext()
