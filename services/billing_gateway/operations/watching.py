"""Looks for what waits for a person, and says so when it waits too long."""

from libs.database import Database
from libs.logs import get_logger
from services.billing_gateway.storage import components, events

NAMED_AT_MOST = 20


class Watching:
    """The gateway's alarms."""

    def __init__(self, database: Database, parked_alarm_seconds: float) -> None:
        self._database = database
        self._parked_alarm_seconds = parked_alarm_seconds

    async def watch(self) -> bool:
        """Look once; there is no more to do then."""
        parked = await self._database.run(
            events.list_parked, self._parked_alarm_seconds, NAMED_AT_MOST
        )
        if parked:
            get_logger().error("events_parked_too_long", event_ids=parked)
        disputes = await self._database.run(components.list_disputes_without_money, NAMED_AT_MOST)
        if disputes:
            get_logger().error("dispute_without_its_money", dispute_ids=disputes)
        return False
