"""Keeps deliveries, many with one INSERT: who comes while one is under way rides in the next."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from libs.database import Database, DatabaseUnavailableError
from libs.errors import DomainError, OverloadedError
from libs.logs import get_logger
from services.billing_gateway.ports import DeliveryRefusedError
from services.billing_gateway.storage import inbox
from services.billing_gateway.storage.inbox import Delivery

RIDERS_PER_INSERT_MAX = 256
RIDERS_WAITING_MAX = 4096
# Two keep both PostgreSQL and this process at work.
INSERTS_AT_ONCE = 2
RETRY_AFTER_SECONDS = 1.0
# A database that hangs is given up later than that, and who waits for others waits twice as long:
# by then the provider has gone.
ANSWER_SECONDS_MAX = 8.0
ANOTHER_BODY = "this transmission was delivered with another body"


@dataclass(frozen=True, slots=True)
class Rider:
    """A delivery, and who waits for it to be kept."""

    delivery: Delivery
    stored: asyncio.Future[None]


class Inserting:
    """The queue in front of the inbox. A lone delivery waits for nothing."""

    name = "inserting"

    def __init__(self, database: Database, wake_settling: Callable[[], None]) -> None:
        self._database = database
        self._wake_settling = wake_settling
        self._riders: asyncio.Queue[Rider] = asyncio.Queue(RIDERS_WAITING_MAX)

    async def insert(self, delivery: Delivery) -> None:
        """Return when the delivery is kept.

        Raises DeliveryRefusedError, DatabaseUnavailableError or OverloadedError.
        """
        rider = Rider(delivery, asyncio.get_running_loop().create_future())
        try:
            self._riders.put_nowait(rider)
        except asyncio.QueueFull:
            raise OverloadedError(
                "too many deliveries wait to be stored", RETRY_AFTER_SECONDS
            ) from None
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                await rider.stored
        except TimeoutError:
            raise DatabaseUnavailableError from None

    async def run(self, stop: asyncio.Event) -> None:
        """Insert until stop is set; the doors are closed then, and nobody waits."""
        async with asyncio.TaskGroup() as group:
            inserters = [group.create_task(self._insert_for_ever()) for _ in range(INSERTS_AT_ONCE)]
            await stop.wait()
            for inserter in inserters:
                inserter.cancel()

    async def _insert_for_ever(self) -> None:
        while True:
            riders = [await self._riders.get()]
            while len(riders) < RIDERS_PER_INSERT_MAX and not self._riders.empty():
                riders.append(self._riders.get_nowait())
            await self._insert_and_answer(riders)

    async def _insert_and_answer(self, riders: Sequence[Rider]) -> None:
        try:
            inserted = await self._database.run(inbox.insert, [rider.delivery for rider in riders])
        except DomainError as unavailable:
            for rider in riders:
                _answer(rider, unavailable)
        except Exception as defect:  # noqa: BLE001 - it is one delivery's; the others go on
            if len(riders) == 1:
                get_logger().exception("delivery_failed", event_id=riders[0].delivery.event_id)
                _answer(riders[0], defect)
                return
            for rider in riders:
                await self._insert_and_answer([rider])
        else:
            if inserted.are_any_due:
                self._wake_settling()
            for rider, is_kept in zip(riders, inserted.are_kept, strict=True):
                _answer(rider, None if is_kept else DeliveryRefusedError(ANOTHER_BODY))


def _answer(rider: Rider, error: Exception | None) -> None:
    # Whoever hung up meanwhile hears nothing.
    if rider.stored.done():
        return
    if error is None:
        rider.stored.set_result(None)
    else:
        rider.stored.set_exception(error)
