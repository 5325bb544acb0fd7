"""Structured logs: one line of JSON for each event, with a stable event name."""

import logging
import sys
from typing import Any

import structlog


def configure_logs(service: str, level: str) -> None:
    """Send this process's logs to standard output as JSON."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    structlog.configure(
        processors=[
            *shared,
            # Without local variables: a request, a setting or a secret may be among them.
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            ),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    _route_standard_library(shared, max(number, logging.WARNING))


def _route_standard_library(shared: list[Any], level: int) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processor=structlog.processors.JSONRenderer()
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """Return a logger; event names are snake_case and never change."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger
