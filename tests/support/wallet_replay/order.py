"""What the callers saw tells of the order in which it happened."""

import bisect
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC
from itertools import accumulate
from typing import Any

from tests.support.wallet_load.history import Call
from tollgate.wallet.v1.wallet_pb2 import Entry


class Order:
    """One wallet's: what was answered before another call began stands before it in the ledger."""

    def __init__(self, calls: Sequence[Call], entry_count: int) -> None:
        self._entry_count = entry_count
        self._calls: dict[bytes, list[Call]] = defaultdict(list)
        for call in calls:
            self._calls[content_key(call.request)].append(call)
        answers = sorted((call.answered, call.entry_count) for call in calls)
        self._answered = [answered for answered, _ in answers]
        self._seen = list(accumulate((entry_count for _, entry_count in answers), max))
        starts = sorted(self._first_entries(), reverse=True)
        self._started = [-started for started, _ in starts]
        self._ahead = list(accumulate((sequence for _, sequence in starts), min))

    def earliest(self, call: Call) -> int:
        """Return how many entries there were, at least, when the call began."""
        before = bisect.bisect_left(self._answered, call.started)
        return self._seen[before - 1] if before else 0

    def latest(self, call: Call) -> int:
        """Return how many entries there were, at most, when the call was answered."""
        after = bisect.bisect_left(self._started, -call.answered)
        return self._ahead[after - 1] - 1 if after else self._entry_count

    def may_have_written(self, request: Any, entries: Sequence[Entry]) -> bool:
        """Tell whether one of the request's calls came when the entries did, by order and clock."""
        first, last = entries[0], entries[-1]
        time = first.create_time.ToDatetime(tzinfo=UTC)
        return any(
            call.accepted
            and self.earliest(call) < first.sequence
            and last.sequence <= self.latest(call)
            and call.start_time <= time <= call.answer_time
            for call in self._calls[content_key(request)]
        )

    def _first_entries(self) -> list[tuple[int, int]]:
        """Return, for each content with an effect, when it was first sent and its first entry."""
        return [
            (min(call.started for call in calls), entries[0].sequence)
            for calls in self._calls.values()
            if (entries := next((call.entries for call in calls if call.entries), None))
        ]


def content_key(request: Any) -> bytes:
    """Return what is equal where two requests are."""
    content: bytes = request.SerializeToString(deterministic=True)
    return type(request).__name__.encode() + b":" + content
