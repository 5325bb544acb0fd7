"""Everything the simulator remembers, apart from the ways to ask for it."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from dev.simulators.faults import Faults
from dev.simulators.twilio.accounts import Account, Accounts

REQUESTS_KEPT = 10_000


@dataclass(frozen=True)
class ReceivedRequest:
    """A request for Twilio, recorded before anything is decided about it."""

    method: str
    sid: str
    status_asked: str | None
    received_at: datetime


class SimulatorState:
    """The accounts; the faults and requests of this run."""

    def __init__(
        self, parent_sid: str, known: Iterable[Account], now: Callable[[], datetime]
    ) -> None:
        self.accounts = Accounts(parent_sid, known, now)
        self.faults = Faults("20429")
        self.requests: deque[ReceivedRequest] = deque(maxlen=REQUESTS_KEPT)
        self._now = now
        self._request_arrived = asyncio.Condition()

    async def record(self, method: str, sid: str, status_asked: str | None) -> None:
        async with self._request_arrived:
            self.requests.append(ReceivedRequest(method, sid, status_asked, self._now()))
            self._request_arrived.notify_all()

    async def wait_for_requests(self, count: int) -> None:
        async with self._request_arrived:
            await self._request_arrived.wait_for(lambda: len(self.requests) >= count)

    def reset(self) -> None:
        self.faults.clear()
        self.requests.clear()
        self.accounts.forget_all()
