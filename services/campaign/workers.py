"""The campaigns' loops."""

from libs.workers import PollingWorker, Worker
from services.campaign.config import CampaignSettings
from services.campaign.operations.settling import Settling


def build_workers(settling: Settling, settings: CampaignSettings) -> list[Worker]:
    """Return what runs beside the rpcs: settling what time or the emergency stop has changed."""
    return [PollingWorker("settling", settling.settle_due, settings.poll_interval_seconds)]
