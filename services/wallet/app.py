"""Puts the wallet together."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc

from libs.announcing.announcer import Announcer
from libs.database import Database
from libs.gauging import Gauging
from libs.levels import WalletLevel
from libs.metrics import ServiceMetrics
from libs.observing import subscription_observer
from libs.operating.servicer import operations_service
from libs.rpc.channel import open_renewed_channel
from libs.rpc.credentials import watch_certificates
from libs.service import Service
from services.wallet.clients import WalletObserverClient
from services.wallet.config import WalletSettings
from services.wallet.domain.chain import ChainKeys
from services.wallet.operations.alarm import Alarm
from services.wallet.operations.checks import LedgerChecks
from services.wallet.operations.engine import (
    COMMANDS_PER_BATCH_MAX,
    LANES_MAX,
    Engine,
    EngineLimits,
)
from services.wallet.operations.gauging import GAUGES
from services.wallet.operations.heads import KnownHeads
from services.wallet.operations.levels import WalletLevels
from services.wallet.operations.overview import OverviewOperations
from services.wallet.operations.reader import (
    LONG_READS_AT_ONCE,
    SHORT_READS_AT_ONCE,
    Reader,
)
from services.wallet.operations.repairs import Repairs
from services.wallet.operations.reports import Reports
from services.wallet.operations.spending import Spending
from services.wallet.operations.verification import Verification
from services.wallet.operations.wallets import WalletOperations
from services.wallet.servicer import wallet_service
from services.wallet.servicer.base import Parts
from services.wallet.workers import build_workers

MIGRATIONS = Path(__file__).parent / "migrations"

# Two keep both PostgreSQL and this process at work; with one wallet each there is room for more.
BATCHES_AT_ONCE = 2
SINGLE_WALLET_BATCHES_AT_ONCE = 6

# An entry is proved in some ten microseconds: so many take a hundredth of this process's time.
CHECKED_ENTRIES_PER_SECOND = 1_000
CHECKED_ENTRIES_PER_ROUND_MIN = 10_000

# A plan made while the tables were small would be kept while they grow: the write path takes none
# that reads a table from end to end, and makes one for each statement anew.
WRITE_PATH_PLANNING = {"enable_seqscan": "off", "plan_cache_mode": "force_custom_plan"}
# Who reads a wallet by its entries' order has an index for that: to sort what is left of a long
# ledger, chunk after chunk, looks good for as long as nobody has counted it.
READ_PLANNING = {"enable_sort": "off", "plan_cache_mode": "force_custom_plan", "jit": "off"}


async def build(settings: WalletSettings) -> Service:
    """Return the service, not started."""
    database = await Database.connect(settings.database_url, settings.database_pool_size, "wallet")
    metrics = ServiceMetrics()
    tls = watch_certificates(settings.tls_directory, "wallet")
    channels = {
        name: open_renewed_channel(address, tls) for name, address in settings.observers.items()
    }
    announcer = _build_announcer(settings, database, metrics, channels)
    limits = engine_limits(settings)
    write_database = await Database.connect(
        settings.database_url,
        limits.batches_at_once_max + LANES_MAX,
        "wallet_engine",
        WRITE_PATH_PLANNING,
    )
    keys = ChainKeys([key.get_secret_value().encode() for key in settings.chain_keys])
    spending = Spending(metrics.registry)
    engine = Engine(
        write_database, announcer, keys, limits, spending=spending, registry=metrics.registry
    )
    wallets = WalletOperations(database, engine)
    report_database = await _connect_for_reports(settings)
    reader = Reader(report_database, LONG_READS_AT_ONCE)
    heads = KnownHeads()
    verification = Verification(reader, engine, keys, heads)
    checks = LedgerChecks(
        reader,
        verification,
        heads,
        engine,
        Alarm(engine, database, announcer, metrics.registry),
        entries_per_round=entries_per_round(settings),
        registry=metrics.registry,
        clock=lambda: datetime.now(UTC),
    )
    overview = OverviewOperations(database, announcer, checks, spending)
    parts = Parts(
        engine,
        wallets,
        verification,
        Repairs(database, verification, engine, announcer, keys),
        Reports(Reader(report_database, SHORT_READS_AT_ONCE), reader),
        overview,
        settings.default_currency,
        timedelta(seconds=settings.hold_late_window_seconds),
    )
    return Service(
        settings,
        database,
        metrics,
        tls,
        rpc_services=[
            wallet_service(parts),
            subscription_observer(wallets),
            operations_service(database),
        ],
        workers=build_workers(
            wallets,
            announcer,
            checks,
            Gauging(overview.read, GAUGES, metrics.registry),
            settings,
        ),
        closables=list(channels.values()),
        pools=[write_database, report_database],
        guards=[verification.require_own_keys],
    )


async def _connect_for_reports(settings: WalletSettings) -> Database:
    return await Database.connect_for_reports(
        settings.database_url,
        LONG_READS_AT_ONCE + SHORT_READS_AT_ONCE,
        "wallet_reports",
        READ_PLANNING,
    )


def _build_announcer(
    settings: WalletSettings,
    database: Database,
    metrics: ServiceMetrics,
    channels: Mapping[str, grpc.aio.Channel],
) -> Announcer[WalletLevel]:
    return Announcer[WalletLevel](
        level="wallet",
        database=database,
        source=WalletLevels(),
        observers=[WalletObserverClient(name, channel) for name, channel in channels.items()],
        metrics=metrics,
        timing=settings.announcer_timing,
    )


def entries_per_round(settings: WalletSettings) -> int:
    """Return how many entries the checks take on between two looks."""
    wanted = int(settings.check_interval_seconds * CHECKED_ENTRIES_PER_SECOND)
    return max(wanted, CHECKED_ENTRIES_PER_ROUND_MIN)


def engine_limits(settings: WalletSettings) -> EngineLimits:
    """Return how the engine queues and batches."""
    single = settings.single_wallet_batches
    return EngineLimits(
        commands_max=settings.queue_commands_max,
        commands_per_wallet_max=settings.queue_commands_per_wallet_max,
        wallets_per_batch_max=1 if single else COMMANDS_PER_BATCH_MAX,
        batches_at_once_max=SINGLE_WALLET_BATCHES_AT_ONCE if single else BATCHES_AT_ONCE,
    )
