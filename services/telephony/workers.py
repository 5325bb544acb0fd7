"""The service's loops: driving Twilio, and suspending what has lapsed."""

import asyncio

from libs.database import DatabaseUnavailableError
from libs.logs import get_logger
from libs.workers import PollingWorker, Worker
from services.telephony.config import TelephonySettings
from services.telephony.domain.values import Due, DueSearch
from services.telephony.operations.organizations import OrganizationOperations
from services.telephony.operations.reconciling import Reconciliation

# How long an organization whose row somebody holds is left aside.
HELD_UP_SECONDS = 5.0


class Reconciler:
    """Drives several subaccounts at a time and none twice, as many as Twilio may be asked at once.

    One slot is only for suspensions, which are urgent, and one for all else, so that neither waits
    for ever behind the other.
    """

    name = "reconcile"

    def __init__(self, reconciliation: Reconciliation, settings: TelephonySettings) -> None:
        self._reconciliation = reconciliation
        self._slot_count = settings.twilio_concurrency
        self._queue: asyncio.Queue[Due] = asyncio.Queue()
        self._busy: dict[str, Due] = {}
        self._held_up: dict[str, float] = {}
        self._poller = PollingWorker(self.name, self._fill_slots, settings.poll_interval_seconds)

    def wake(self) -> None:
        """Look now for what is due; to be called after the commit that made it so."""
        self._poller.wake()

    async def run(self, stop: asyncio.Event) -> None:
        """Drive until stop is set, and finish what is under way."""
        async with asyncio.TaskGroup() as group:
            slots = [
                group.create_task(self._drive_for_ever(), name=self.name)
                for _ in range(self._slot_count)
            ]
            await self._poller.run(stop)
            await self._queue.join()
            for slot in slots:
                slot.cancel()

    async def _fill_slots(self) -> bool:
        for urgent in (True, False):
            for due in await self._list_due(urgent=urgent):
                self._busy[due.account_sid] = due
                self._queue.put_nowait(due)
        return False

    async def _list_due(self, *, urgent: bool) -> list[Due]:
        now = asyncio.get_running_loop().time()
        self._held_up = {name: until for name, until in self._held_up.items() if until > now}
        same_kind_count = sum(1 for due in self._busy.values() if due.urgent is urgent)
        room = min(self._slot_count - len(self._busy), self._slot_count - 1 - same_kind_count)
        if room <= 0:
            return []
        search = DueSearch(urgent, list(self._busy), list(self._held_up), room)
        return await self._reconciliation.list_due(search)

    async def _drive_for_ever(self) -> None:
        while True:
            due = await self._queue.get()
            try:
                await self._reconciliation.reconcile(due)
            except DatabaseUnavailableError:
                get_logger().warning(
                    "subaccount_waits_for_database", organization_id=due.organization_id
                )
                until = asyncio.get_running_loop().time() + HELD_UP_SECONDS
                self._held_up[due.organization_id] = until
            finally:
                del self._busy[due.account_sid]
                self._queue.task_done()
                self._poller.wake()


def build_workers(
    organizations: OrganizationOperations, reconciler: Reconciler, settings: TelephonySettings
) -> list[Worker]:
    """Return what runs beside the rpcs."""
    lapse = PollingWorker("lapse", organizations.reevaluate_due, settings.poll_interval_seconds)
    return [reconciler, lapse]
