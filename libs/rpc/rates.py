"""How often each caller may call."""

from collections.abc import Callable, Hashable
from time import monotonic

from libs.errors import OverloadedError


class CallRates:
    """Lets each caller call so often in a second, after a rest all at once; each has its own."""

    def __init__(self, per_second_max: float, clock: Callable[[], float] = monotonic) -> None:
        self._per_second = per_second_max
        self._clock = clock
        # When a caller that had called as often as it may would have begun.
        self._spent_until: dict[Hashable, float] = {}

    def take(self, caller: Hashable) -> None:
        """Count one call. Raises OverloadedError if it is one too many."""
        now = self._clock()
        rested = now - 1.0
        spent_until = max(self._spent_until.get(caller, rested), rested) + 1.0 / self._per_second
        if spent_until > now:
            raise OverloadedError(
                f"more than {self._per_second:g} calls in a second", spent_until - now
            )
        self._spent_until[caller] = spent_until
