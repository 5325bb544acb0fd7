"""Puts the campaign service together."""

from pathlib import Path

from libs.database import Database
from libs.metrics import ServiceMetrics
from libs.observing import subscription_observer, wallet_observer
from libs.service import Service
from services.campaign.config import CampaignSettings
from services.campaign.operations import CampaignOperations
from services.campaign.servicer import campaign_service
from services.campaign.workers import build_workers

MIGRATIONS = Path(__file__).parent / "migrations"


async def build(settings: CampaignSettings) -> Service:
    """Return the service, not started."""
    database = await Database.connect(
        settings.database_url, settings.database_pool_size, "campaign"
    )
    operations = CampaignOperations(database)
    return Service(
        settings,
        database,
        ServiceMetrics(),
        rpc_services=[
            campaign_service(operations),
            subscription_observer(operations),
            wallet_observer(operations),
        ],
        workers=build_workers(operations, settings),
    )
