"""Puts the campaign service together."""

from pathlib import Path

from libs.database import Database
from libs.gauging import Gauging
from libs.listening import Listener
from libs.metrics import ServiceMetrics
from libs.observing import subscription_observer, wallet_observer
from libs.operating.servicer import operations_service
from libs.rpc.credentials import watch_certificates
from libs.service import Service
from services.campaign.config import CampaignSettings
from services.campaign.operations.campaigns import CampaignOperations
from services.campaign.operations.gauging import GAUGES
from services.campaign.operations.organizations import OrganizationOperations
from services.campaign.operations.overview import OverviewOperations
from services.campaign.operations.settling import Settling
from services.campaign.operations.stopping import Stopping
from services.campaign.operations.watching import Watching
from services.campaign.servicer import campaign_service
from services.campaign.servicer.base import Parts
from services.campaign.workers import build_workers

MIGRATIONS = Path(__file__).parent / "migrations"


async def build(settings: CampaignSettings) -> Service:
    """Return the service, not started."""
    database = await Database.connect(
        settings.database_url, settings.database_pool_size, "campaign"
    )
    metrics = ServiceMetrics()
    settling = Settling(database)
    listener = Listener(settings.database_url, "campaigns")
    watching = Watching(
        database,
        listener,
        metrics.registry,
        watchers_max=settings.watchers_max,
        poll_seconds=settings.watch_poll_seconds,
    )
    parts = Parts(
        CampaignOperations(database),
        OrganizationOperations(database),
        Stopping(database, settling),
        watching,
        OverviewOperations(database),
    )
    gauging = Gauging(parts.overview.read, GAUGES, metrics.registry)
    return Service(
        settings,
        database,
        metrics,
        watch_certificates(settings.tls_directory, "campaign"),
        rpc_services=[
            campaign_service(parts),
            subscription_observer(parts.organizations),
            wallet_observer(parts.organizations),
            operations_service(database),
        ],
        workers=[listener, *build_workers(settling, gauging, settings)],
        endless=[watching],
    )
