"""Gives up raw bodies in time: what an event told, and what came of it, stays for ever."""

from libs.database import Database
from services.billing_gateway.storage import inbox

BODIES_PER_STEP = 500


class Retention:
    """Bodies of what is not settled are kept, however old."""

    def __init__(self, database: Database, body_retention_seconds: float) -> None:
        self._database = database
        self._body_retention_seconds = body_retention_seconds

    async def give_up_some(self) -> bool:
        """Give up a few bodies; answer whether there may be more."""
        count = await self._database.run(
            inbox.give_up_bodies, self._body_retention_seconds, BODIES_PER_STEP
        )
        return count == BODIES_PER_STEP
