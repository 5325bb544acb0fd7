"""Campaigns that do not run, by somebody's hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.runbook.site import Customer, Site
from tests.support.runbook.situation import Situation, State
from tollgate.campaign.v1 import campaign_service_pb2


@asynccontextmanager
async def paused_by_hand(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """An operator has paused a campaign."""
    await site.ask("campaign").PauseCampaign(
        campaign_service_pb2.PauseCampaignRequest(
            campaign_id=customer.campaign_id, note="wrong text"
        )
    )
    yield Situation()


@asynccontextmanager
async def paused_long(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """And has forgotten it."""
    async with paused_by_hand(site, customer):
        await site.tamper(
            "campaign",
            "UPDATE campaigns SET pause_time = now() - interval '40 days' WHERE campaign_id = $1",
            customer.campaign_id,
        )
        request = campaign_service_pb2.ResumeCampaignRequest(campaign_id=customer.campaign_id)
        yield Situation(ends_by=lambda: site.ask("campaign").ResumeCampaign(request))


@asynccontextmanager
async def organization_paused(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """An operator has paused all of an organization."""
    await site.ask("campaign").PauseCampaigns(
        campaign_service_pb2.PauseCampaignsRequest(
            organization_id=customer.organization_id, note="complaints"
        )
    )
    yield Situation()


@asynccontextmanager
async def everything_stopped(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """An operator has stopped everybody."""
    request = campaign_service_pb2.PauseAllCampaignsRequest(note="wrong template")
    await site.ask("campaign").PauseAllCampaigns(request)
    yield Situation()


STATES = {
    "scenario-3-a-campaign-is-stuck-paused": State(paused_by_hand),
    "campaign-paused-by-hand": State(paused_by_hand, finding="CAMPAIGN_PAUSED_BY_HAND"),
    "campaign-paused-long": State(paused_long, alert="CAMPAIGN_PAUSED_LONG", looks=True),
    "organization-paused": State(organization_paused, finding="ORGANIZATION_PAUSED"),
    "emergency-stop": State(everything_stopped, finding="EMERGENCY_STOP", alert="EMERGENCY_STOP"),
}
