"""Webhooks on their way: signed when they are sent, and repeated, delayed, shuffled or lost."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass

from aiohttp import ClientError, ClientSession, ClientTimeout

TIMEOUT_SECONDS = 10.0
TRIES_MAX = 10
NO_ANSWER = 0
TAKEN = range(200, 300)


@dataclass(frozen=True)
class Event:
    """One event as a provider sends it."""

    event_id: str
    event_type: str
    body: bytes


class Deliveries:
    """Sends events to one address, by the switches that are set when an event happens."""

    def __init__(
        self,
        url: str,
        sign: Callable[[bytes], Mapping[str, str]],
        retry_seconds: float = 1.0,
    ) -> None:
        """`sign` makes the headers of a delivery, new ones each time it is tried."""
        self.url = url
        self.held: list[Event] = []
        # So many more deliveries of each event.
        self.duplicates = 0
        self.delay_seconds = 0.0
        # So many events wait for each other and then leave in any order.
        self.reorder_window = 0
        # So many of the next events, or this share of them, never leave.
        self.lose: int | float = 0
        self._sign = sign
        self._retry_seconds = retry_seconds
        self._holding = False
        self._waiting: list[Event] = []
        self._under_way = set[asyncio.Task[None]]()
        self._session: ClientSession | None = None

    def hold(self) -> None:
        """From now on nothing leaves; what happens is kept in `held`."""
        self._holding = True

    def release(self) -> None:
        """Lets go of what was held, and of what happens from now on."""
        self._holding = False
        held, self.held = self.held, []
        for event in held:
            self.happen(event)

    def happen(self, event: Event) -> None:
        """An event leaves, as the switches say."""
        if self._holding:
            self.held.append(event)
        elif not self._is_lost():
            self._waiting.append(event)
            if len(self._waiting) >= self.reorder_window:
                self._flush()

    async def send(self, event: Event) -> int:
        """Delivers an event until it is taken; returns the last answer's status, 0 for none."""
        status = NO_ANSWER
        for number in range(TRIES_MAX):
            status = await self._deliver(event)
            if status in TAKEN:
                break
            await asyncio.sleep(self._retry_seconds * 2**number)
        return status

    async def settle(self) -> None:
        """Returns when nothing is under way and nothing waits for others."""
        self._flush()
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def close(self) -> None:
        """Gives up what is under way."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def _is_lost(self) -> bool:
        if isinstance(self.lose, float):
            return random.random() < self.lose
        if self.lose == 0:
            return False
        self.lose -= 1
        return True

    def _flush(self) -> None:
        leaving, self._waiting = self._waiting, []
        if self.reorder_window:
            random.shuffle(leaving)
        for event in leaving:
            for _ in range(1 + self.duplicates):
                self._start(self._leave(event))

    def _start(self, delivery: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(delivery)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _leave(self, event: Event) -> None:
        await asyncio.sleep(self.delay_seconds)
        await self.send(event)

    async def _deliver(self, event: Event) -> int:
        headers = {"Content-Type": "application/json", **self._sign(event.body)}
        if self._session is None:
            self._session = ClientSession(timeout=ClientTimeout(total=TIMEOUT_SECONDS))
        try:
            async with self._session.post(self.url, data=event.body, headers=headers) as answer:
                return answer.status
        except (ClientError, TimeoutError, OSError):
            return NO_ANSWER
