"""The campaigns' loops."""

from libs.gauging import Gauging
from libs.workers import PollingWorker, Worker
from services.campaign.config import CampaignSettings
from services.campaign.operations.overview import Overview
from services.campaign.operations.settling import Settling


def build_workers(
    settling: Settling, gauging: Gauging[Overview], settings: CampaignSettings
) -> list[Worker]:
    """Return what runs beside the rpcs: settling what time or the stop has changed, and showing."""
    settle = PollingWorker("settling", settling.settle_due, settings.poll_interval_seconds)
    return [settle, gauging.worker()]
