"""What tells others of a process: its log, and, for whoever asks, traces and reports of errors.

What those take is loaded here and by nobody else, so that whoever asks for none pays for none.
"""

from collections.abc import Callable

import structlog

from libs.config import ServiceSettings
from libs.logs import configure_logs
from libs.tracing import trace_by

Processors = list[structlog.typing.Processor]


def start_telemetry(service: str, settings: ServiceSettings) -> Callable[[], None]:
    """Log from now on; trace and report, if a setting says to whom. Return what ends it."""
    processors: Processors = []
    ends = [
        _start_traces(service, settings, processors),
        _start_reports(service, settings, processors),
    ]
    configure_logs(service, settings.log_level, *processors)

    def stop() -> None:
        for end in ends:
            end()

    return stop


def _start_traces(
    service: str, settings: ServiceSettings, processors: Processors
) -> Callable[[], None]:
    if settings.otlp_endpoint is None:
        return _nothing
    from libs.tracing.collecting import Collecting  # noqa: PLC0415

    tracing = Collecting(service, settings.otlp_endpoint, settings.traced_share)
    trace_by(tracing)
    processors.append(lambda _logger, _name, line: {**tracing.log_ids(), **line})
    return tracing.close


def _start_reports(
    service: str, settings: ServiceSettings, processors: Processors
) -> Callable[[], None]:
    if settings.sentry_dsn is None:
        return _nothing
    from libs import error_reports  # noqa: PLC0415

    error_reports.start(service, settings.sentry_dsn.get_secret_value())
    processors.append(error_reports.report)
    return error_reports.stop


def _nothing() -> None:
    pass
