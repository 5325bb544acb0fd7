"""Gives up in time what is not needed for ever: raw bodies, and transmissions that cannot return.

What an event told, and what came of it, stays.
"""

from libs.database import Database
from services.billing_gateway.storage import inbox

ROWS_PER_STEP = 500


class Retention:
    """Bodies of what is not settled are kept, however old."""

    def __init__(self, database: Database, body_retention_seconds: float) -> None:
        self._database = database
        self._body_retention_seconds = body_retention_seconds

    async def give_up_some(self) -> bool:
        """Give up a few of each; answer whether there may be more."""
        bodies = await self._database.run(
            inbox.give_up_bodies, self._body_retention_seconds, ROWS_PER_STEP
        )
        forgotten = await self._database.run(inbox.forget_transmissions, ROWS_PER_STEP)
        return ROWS_PER_STEP in (bodies, forgotten)
