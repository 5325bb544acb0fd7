"""How much each caller may ask for: calls in a second, and streams that it keeps open."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from time import monotonic

from libs.errors import OverloadedError

# Who has all its streams open may hope for one to end, and no more.
STREAM_RETRY_SECONDS = 10.0


class CallerLimits:
    """Each caller has its own; after a rest, a second's calls may come all at once."""

    def __init__(
        self,
        calls_per_second_max: float,
        streams_max: int,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._calls_per_second = calls_per_second_max
        self._streams_max = streams_max
        self._clock = clock
        # When a caller that had called as often as it may would have begun.
        self._spent_until: dict[Hashable, float] = {}
        self._open_streams = Counter[Hashable]()

    def count_call(self, caller: Hashable) -> None:
        """Count one call. Raises OverloadedError if it is one too many."""
        now = self._clock()
        rested = now - 1.0
        seconds = 1.0 / self._calls_per_second
        spent_until = max(self._spent_until.get(caller, rested), rested) + seconds
        if spent_until > now:
            raise OverloadedError(
                f"more than {self._calls_per_second:g} calls in a second", spent_until - now
            )
        self._spent_until[caller] = spent_until

    @contextmanager
    def keep_open(self, caller: Hashable) -> Iterator[None]:
        """Count one stream until the end of the block. Raises OverloadedError."""
        if self._open_streams[caller] >= self._streams_max:
            raise OverloadedError(
                f"{self._streams_max} streams of this caller are open already",
                STREAM_RETRY_SECONDS,
            )
        self._open_streams[caller] += 1
        try:
            yield
        finally:
            self._open_streams[caller] -= 1
