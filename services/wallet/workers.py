"""The wallet's loops."""

from libs.announcing.announcer import Announcer
from libs.gauging import Gauging
from libs.levels import WalletLevel
from libs.workers import PollingWorker, Worker
from services.wallet.config import WalletSettings
from services.wallet.operations.checks import LedgerChecks
from services.wallet.operations.overview import Overview
from services.wallet.operations.wallets import WalletOperations


def build_workers(
    operations: WalletOperations,
    announcer: Announcer[WalletLevel],
    checks: LedgerChecks,
    gauging: Gauging[Overview],
    settings: WalletSettings,
) -> list[Worker]:
    """Return what runs beside the rpcs: announcing, freezing what has lapsed, proving, showing."""
    lapse = PollingWorker("lapse", operations.reevaluate_due, settings.poll_interval_seconds)
    check = PollingWorker("ledger_check", checks.check, settings.check_interval_seconds)
    return [announcer, lapse, check, gauging.worker()]
