"""Keeps deliveries, many with one INSERT: who comes while one is under way rides in the next."""

import asyncio
from collections.abc import Callable, Sequence

from libs.database import Database, DatabaseUnavailableError
from libs.riding import Riding, RidingLimits
from services.billing_gateway.ports import DeliveryRefusedError
from services.billing_gateway.storage import inbox
from services.billing_gateway.storage.inbox import Delivery

# Two keep both PostgreSQL and this process at work.
LIMITS = RidingLimits(trips_at_once_max=2)
# A database that hangs is given up later than that, and who waits for others waits twice as long:
# by then the provider has gone.
ANSWER_SECONDS_MAX = 8.0
ANOTHER_BODY = "this transmission was delivered with another body"


class Inserting:
    """The queue in front of the inbox. A lone delivery waits for nothing."""

    def __init__(self, database: Database, wake_settling: Callable[[], None]) -> None:
        self._database = database
        self._wake_settling = wake_settling
        self._riding = Riding(self._insert, LIMITS)

    async def insert(self, delivery: Delivery) -> None:
        """Return when the delivery is kept.

        Raises DeliveryRefusedError, DatabaseUnavailableError or OverloadedError.
        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                is_kept = await self._riding.ride(delivery)
        except TimeoutError:
            raise DatabaseUnavailableError from None
        if not is_kept:
            raise DeliveryRefusedError(ANOTHER_BODY)

    async def _insert(self, deliveries: Sequence[Delivery]) -> Sequence[bool]:
        inserted = await self._database.run(inbox.insert, deliveries)
        if inserted.are_any_due:
            self._wake_settling()
        return inserted.are_kept
