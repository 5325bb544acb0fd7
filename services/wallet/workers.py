"""The wallet's loops."""

from libs.announcing.announcer import Announcer
from libs.levels import WalletLevel
from libs.workers import PollingWorker, Worker
from services.wallet.config import WalletSettings
from services.wallet.operations import WalletOperations


def build_workers(
    operations: WalletOperations, announcer: Announcer[WalletLevel], settings: WalletSettings
) -> list[Worker]:
    """Return what runs beside the rpcs: announcing, and freezing what has lapsed."""
    lapse = PollingWorker("lapse", operations.reevaluate_due, settings.poll_interval_seconds)
    return [announcer, lapse]
