"""Reports of errors to Sentry: of each line of the log that is an error, what may leave the house.

What an error says may quote what was asked: so its type and its place are told, and the ids by
which the log is searched.
"""

import sys
from typing import Any, Final

import sentry_sdk
import structlog
from sentry_sdk.types import Event, Hint
from sentry_sdk.utils import event_from_exception

from libs.logs import LOGGED_FIELDS

LEVELS: Final = {"error": "error", "critical": "fatal"}
TAGS: Final = ("service", "method", "caller", "reason", "worker", "trace_id", *LOGGED_FIELDS)
CLOSE_SECONDS_MAX = 2.0
# Whatever else a release of the library may think of stays here.
TOLD: Final = (
    *("event_id", "timestamp", "platform", "level", "message", "tags"),
    *("release", "environment", "server_name", "sdk"),
)
TOLD_OF_A_FRAME: Final = ("filename", "function", "module", "lineno", "in_app")


def start(service: str, dsn: str) -> None:
    """Begin to report."""
    sentry_sdk.init(
        dsn=dsn,
        server_name=service,
        # None of them: they patch libraries, and collect requests, headers and lines of logs.
        default_integrations=False,
        auto_enabling_integrations=False,
        include_local_variables=False,
        max_breadcrumbs=0,
        before_send=_keep_what_may_leave,
        # Not by a proxy of the environment, which would hear of everything.
        http_proxy="",
        https_proxy="",
    )


def stop() -> None:
    """Send what is left, if anybody takes it soon."""
    sentry_sdk.get_client().close(CLOSE_SECONDS_MAX)


def report(_logger: Any, name: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Report a line that is an error, and leave it as it is."""
    if name in LEVELS:
        event, hint = _found(line)
        record = line.get("_record")
        # The words of libraries are not ours.
        event["message"] = f"logged by {record.name}" if record else str(line["event"])
        event["level"] = LEVELS[name]  # type: ignore[typeddict-item]
        event["tags"] = {tag: str(line[tag]) for tag in TAGS if tag in line}
        sentry_sdk.capture_event(event, hint)
    return line


def _found(line: structlog.typing.EventDict) -> tuple[Event, Hint]:
    given = line.get("exc_info")
    if given is True:
        given = sys.exc_info()
    if not given or given == (None, None, None):
        return {}, {}
    return event_from_exception(given, sentry_sdk.get_client().options)


def _keep_what_may_leave(event: Event, _hint: Hint) -> Event:
    kept: dict[str, Any] = {name: event.get(name) for name in TOLD if name in event}
    if found := event.get("exception"):
        kept["exception"] = {"values": [_without_words(each) for each in found["values"]]}
    return kept  # type: ignore[return-value]


def _without_words(error: Any) -> dict[str, Any]:
    frames = (error.get("stacktrace") or {}).get("frames", ())
    return {
        "type": error["type"],
        "module": error.get("module"),
        "value": "",
        "stacktrace": {
            "frames": [{name: frame.get(name) for name in TOLD_OF_A_FRAME} for frame in frames]
        },
    }
