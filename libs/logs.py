"""Structured logs: one line of JSON for each event, with a stable event name."""

import logging
import sys
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, Final

import structlog

LOGGED_LENGTH_MAX: Final = 128
LOGGED_FIELDS: Final = (
    "organization_id",
    "reference_id",
    "hold_reference_id",
    "payment_id",
    "campaign_id",
    "event_id",
    "account_sid",
)

# The call that this task answers: its method, its request, and whoever is proven to call.
_call: ContextVar[tuple[str, Any, object] | None] = ContextVar("call", default=None)


def configure_logs(service: str, level: str, *more: structlog.typing.Processor) -> None:
    """Send this process's logs to standard output as JSON, after more was done with each line."""
    number = logging.getLevelNamesMapping()[level.upper()]

    def add_service(
        _logger: Any, _level: str, line: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        # Not bound to a context: what is done for many callers has none of theirs.
        line["service"] = service
        return line

    shared: list[Any] = [
        add_service,
        _add_ids,
        *more,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        # Without local variables: a request, a setting or a secret may be among them.
        structlog.processors.ExceptionRenderer(
            structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        ),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    _route_standard_library(shared, max(number, logging.WARNING))


def _route_standard_library(shared: list[Any], level: int) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processor=structlog.processors.JSONRenderer()
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)


def enter_work_on(organization_id: str) -> None:
    """Let every line that this task logs from now on say whose it is, where no call tells."""
    structlog.contextvars.bind_contextvars(organization_id=organization_id)


def working_on(**ids: str) -> AbstractContextManager[None]:
    """Let every line until the end of the block say what it is about, where no call tells."""
    return structlog.contextvars.bound_contextvars(**ids)


def enter_call(method: str, request: object, caller: object = None) -> None:
    """Let every line that this task logs from now on say which call it belongs to, and whose."""
    _call.set((method, request, caller))


def known_ids() -> dict[str, str]:
    """Return what is known of the call that this task answers, or of what it works on."""
    ids: dict[str, str] = {}
    call = _call.get()
    if call is not None:
        method, request, caller = call
        ids["method"] = method
        if caller is not None:
            ids["caller"] = str(caller)
        for name in LOGGED_FIELDS:
            if hasattr(request, name):
                ids[name] = getattr(request, name)[:LOGGED_LENGTH_MAX]
    return ids | structlog.contextvars.get_contextvars()


def _add_ids(
    _logger: Any, _level: str, line: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    # Only here is the request looked at: most calls log nothing.
    for name, value in known_ids().items():
        line.setdefault(name, value)
    return line


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """Return a logger; event names are snake_case and never change."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger
