"""The campaigns' loops."""

from libs.workers import PollingWorker, Worker
from services.campaign.config import CampaignSettings
from services.campaign.operations import CampaignOperations


def build_workers(operations: CampaignOperations, settings: CampaignSettings) -> list[Worker]:
    """Return what runs beside the rpcs: pausing what has lapsed."""
    return [PollingWorker("lapse", operations.reevaluate_due, settings.poll_interval_seconds)]
