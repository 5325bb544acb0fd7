"""Puts the wallet together."""

from pathlib import Path

from libs.announcing.announcer import Announcer
from libs.database import Database
from libs.levels import WalletLevel
from libs.metrics import ServiceMetrics
from libs.observing import subscription_observer
from libs.rpc.client import open_channel
from libs.service import Service
from services.wallet.clients import WalletObserverClient
from services.wallet.config import WalletSettings
from services.wallet.operations import WalletLevels, WalletOperations
from services.wallet.servicer import wallet_service
from services.wallet.workers import build_workers

MIGRATIONS = Path(__file__).parent / "migrations"


async def build(settings: WalletSettings) -> Service:
    """Return the service, not started."""
    database = await Database.connect(settings.database_url, settings.database_pool_size, "wallet")
    metrics = ServiceMetrics()
    channels = {name: open_channel(address) for name, address in settings.observers.items()}
    announcer = Announcer[WalletLevel](
        level="wallet",
        database=database,
        source=WalletLevels(),
        observers=[WalletObserverClient(name, channel) for name, channel in channels.items()],
        metrics=metrics,
        timing=settings.announcer_timing,
    )
    operations = WalletOperations(database, announcer)
    return Service(
        settings,
        database,
        metrics,
        rpc_services=[
            wallet_service(operations, settings.default_currency),
            subscription_observer(operations),
        ],
        workers=build_workers(operations, announcer, settings),
        closables=list(channels.values()),
    )
