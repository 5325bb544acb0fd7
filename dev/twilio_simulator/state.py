"""Everything the simulator remembers, apart from the ways to ask for it."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dev.twilio_simulator.accounts import Accounts
from dev.twilio_simulator.faults import Faults
from dev.twilio_simulator.state_file import read_accounts, write_accounts

REQUESTS_KEPT = 10_000


@dataclass(frozen=True)
class ReceivedRequest:
    """A request for Twilio, recorded before anything is decided about it."""

    method: str
    sid: str
    status_asked: str | None
    received_at: datetime


class SimulatorState:
    """The accounts, kept in a file if one is given; the faults and requests of this run."""

    def __init__(
        self, parent_sid: str, state_file: Path | None, now: Callable[[], datetime]
    ) -> None:
        self._state_file = state_file
        known = [] if state_file is None else read_accounts(state_file)
        self.accounts = Accounts(parent_sid, known, now, on_change=self._save)
        self.faults = Faults()
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

    def _save(self) -> None:
        if self._state_file is not None:
            write_accounts(self._state_file, self.accounts.all())
