"""The service's loops: driving Twilio, and suspending what has lapsed."""

import asyncio

from libs.database import DatabaseUnavailableError
from libs.logs import get_logger
from libs.workers import PollingWorker, Worker
from services.telephony.config import TelephonySettings
from services.telephony.domain.values import Due
from services.telephony.operations import Reconciliation, TelephonyOperations


class Reconciler:
    """Drives several subaccounts at a time and none twice, as many as Twilio may be asked at once.

    One slot is only for suspensions: they are urgent, whatever the activations wait for.
    """

    name = "reconcile"

    def __init__(self, reconciliation: Reconciliation, settings: TelephonySettings) -> None:
        self._reconciliation = reconciliation
        self._slot_count = settings.twilio_concurrency
        self._queue: asyncio.Queue[Due] = asyncio.Queue()
        self._busy: set[str] = set()
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
        free_count = self._slot_count - len(self._busy)
        if free_count == 0:
            return False
        dues = await self._reconciliation.list_due(self._busy, free_count)
        urgent = [due for due in dues if due.urgent]
        others = [due for due in dues if not due.urgent]
        for due in urgent + others[: max(0, free_count - len(urgent) - 1)]:
            self._busy.add(due.account_sid)
            self._queue.put_nowait(due)
        return False

    async def _drive_for_ever(self) -> None:
        while True:
            due = await self._queue.get()
            try:
                await self._reconciliation.reconcile(due)
            except DatabaseUnavailableError:
                get_logger().warning("worker_waits_for_database", worker=self.name)
            finally:
                self._busy.discard(due.account_sid)
                self._queue.task_done()
                self._poller.wake()


def build_workers(
    operations: TelephonyOperations, reconciler: Reconciler, settings: TelephonySettings
) -> list[Worker]:
    """Return what runs beside the rpcs."""
    lapse = PollingWorker("lapse", operations.reevaluate_due, settings.poll_interval_seconds)
    return [reconciler, lapse]
