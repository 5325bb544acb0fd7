"""The emergency stop of all organizations."""

from libs.database import Database
from libs.logs import get_logger
from services.campaign.domain.commands import ChangeStop
from services.campaign.domain.values import EmergencyStop
from services.campaign.operations.settling import Settling
from services.campaign.storage import campaigns, emergency_stop
from services.campaign.storage.campaigns import Moved


class Stopping:
    """Sets and lifts the stop.

    It counts from its own small transaction on, whatever becomes of this process, since everybody
    reads it. What is stored of the campaigns follows, here and in the workers of all processes.
    """

    def __init__(self, database: Database, settling: Settling) -> None:
        self._database = database
        self._settling = settling

    async def change(self, command: ChangeStop) -> Moved:
        """Set or lift the stop; return how many campaigns it has moved, once all are settled."""
        changed = await self._database.run(emergency_stop.change, command)
        if changed:
            get_logger().warning(
                "emergency_stop_changed", command=repr(command), number=changed.number
            )
        stop = changed or await self.read()
        await self._settling.settle_stop()
        return await self._database.run(campaigns.count_moved_by_stop, stop.number)

    async def read(self) -> EmergencyStop:
        """Return the stop as it is."""
        return await self._database.run(emergency_stop.read)
