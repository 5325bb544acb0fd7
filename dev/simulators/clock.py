"""Time as a simulated provider has it: as it is, or as it is told."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Goes on by itself from wherever it was set."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def set(self, time: datetime) -> None:
        self._ahead = time - datetime.now(UTC)

    def advance(self, duration: timedelta) -> None:
        self._ahead += duration
