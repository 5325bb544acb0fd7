"""How much a count has grown lately, in one process."""

from collections import deque
from collections.abc import Callable
from time import monotonic

WINDOW_SECONDS = 600.0
APART_SECONDS = 1.0


class RecentGrowth:
    """How much a count has grown in the last ten minutes.

    To count costs nothing more than that: the count is looked at now and then, and compared with
    what was seen ten minutes ago, to within the time between two looks.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._seen = deque([(clock(), 0)])

    def look(self, count: int) -> int:
        """Return how much it has grown to what it is now."""
        now = self._clock()
        # Of looks in quick succession the last is enough: whoever may look may do so all the time.
        if len(self._seen) > 1 and now - self._seen[-2][0] < APART_SECONDS:
            self._seen.pop()
        self._seen.append((now, count))
        while self._seen[1][0] <= now - WINDOW_SECONDS:
            self._seen.popleft()
        return count - self._seen[0][1]
