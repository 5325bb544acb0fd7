"""The gateway's loops."""

from collections.abc import Sequence

from libs.workers import PollingWorker, Worker
from services.billing_gateway.config import BillingGatewaySettings
from services.billing_gateway.operations.settling import Settling


class SettlingWorkers:
    """Several loops over one inbox; each settles one event at a time."""

    def __init__(self) -> None:
        self._workers: list[PollingWorker] = []

    def wake(self) -> None:
        """Let them look at the inbox now."""
        for worker in self._workers:
            worker.wake()

    def build(self, settling: Settling, settings: BillingGatewaySettings) -> Sequence[Worker]:
        """Return the loops to run."""
        self._workers = [
            PollingWorker(
                f"settling_{number}", settling.settle_next, settings.poll_interval_seconds
            )
            for number in range(settings.inbox_concurrency)
        ]
        return self._workers
