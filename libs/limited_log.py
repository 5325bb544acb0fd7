"""Lines about what strangers do: one for each, but whoever sends much must not write much."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from libs.logs import get_logger

LINES_MAX = 30
PERIOD_SECONDS = 60.0


@dataclass
class _Period:
    """What was said of one event since a moment."""

    start: float
    lines: int = 0
    unlogged: int = 0


class LimitedLog:
    """Warnings, so many of each event in a period; the next period's first tells of the others."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._periods: dict[str, _Period] = {}

    def warning(self, event: str, **fields: object) -> None:
        """Log a line, or count it."""
        now = self._clock()
        period = self._periods.get(event) or _Period(now - PERIOD_SECONDS)
        unlogged = period.unlogged
        if now - period.start >= PERIOD_SECONDS:
            period = self._periods[event] = _Period(now)
        elif period.lines >= LINES_MAX:
            period.unlogged += 1
            return
        period.lines += 1
        more = {"unlogged": unlogged} if unlogged and period.lines == 1 else {}
        get_logger().warning(event, **fields, **more)
