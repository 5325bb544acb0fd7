"""Rpcs of single campaigns, and of what changed of them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from libs.rpc.times import optional_time
from services.campaign.domain.changes import ChangeFilter
from services.campaign.domain.commands import (
    CompleteCampaign,
    CreateCampaign,
    PauseCampaign,
    ResumeCampaign,
    StartCampaign,
)
from services.campaign.domain.values import CampaignFilter
from services.campaign.servicer.base import Rpcs
from services.campaign.servicer.messages import (
    campaign_message,
    change_message,
    optional_cause,
    optional_reason,
    optional_state,
)
from tollgate.campaign.v1 import campaign_service_pb2


class CampaignRpcs(Rpcs):
    """Translates; decides nothing."""

    async def CreateCampaign(
        self, request: campaign_service_pb2.CreateCampaignRequest, context: Any
    ) -> campaign_service_pb2.CreateCampaignResponse:
        """Make a draft."""
        campaign = await self._parts.campaigns.create(
            CreateCampaign(
                campaign_id=request.campaign_id,
                organization_id=request.organization_id,
                brand_id=request.brand_id,
                name=request.name,
                actor=request.actor,
            )
        )
        return campaign_service_pb2.CreateCampaignResponse(campaign=campaign_message(campaign))

    async def GetCampaign(
        self, request: campaign_service_pb2.GetCampaignRequest, context: Any
    ) -> campaign_service_pb2.GetCampaignResponse:
        """Read a campaign."""
        campaign = await self._parts.campaigns.get(request.campaign_id)
        return campaign_service_pb2.GetCampaignResponse(campaign=campaign_message(campaign))

    async def ListCampaigns(
        self, request: campaign_service_pb2.ListCampaignsRequest, context: Any
    ) -> campaign_service_pb2.ListCampaignsResponse:
        """List campaigns."""
        page = await self._parts.campaigns.list_campaigns(
            CampaignFilter(
                organization_id=request.organization_id,
                brand_id=request.brand_id,
                state=optional_state(request.state),
                pause_reason=optional_reason(request.pause_reason),
                paused_before=optional_time(request, "paused_before"),
                paused_after=optional_time(request, "paused_after"),
            ),
            request.page_size,
            request.page_token,
        )
        return campaign_service_pb2.ListCampaignsResponse(
            campaigns=[campaign_message(campaign) for campaign in page.items],
            next_page_token=page.next_page_token,
        )

    async def StartCampaign(
        self, request: campaign_service_pb2.StartCampaignRequest, context: Any
    ) -> campaign_service_pb2.StartCampaignResponse:
        """Let a draft run."""
        campaign = await self._parts.campaigns.execute(
            request.campaign_id, StartCampaign(request.actor)
        )
        return campaign_service_pb2.StartCampaignResponse(campaign=campaign_message(campaign))

    async def PauseCampaign(
        self, request: campaign_service_pb2.PauseCampaignRequest, context: Any
    ) -> campaign_service_pb2.PauseCampaignResponse:
        """Pause one by hand."""
        command = PauseCampaign(request.note, request.actor)
        campaign = await self._parts.campaigns.execute(request.campaign_id, command)
        return campaign_service_pb2.PauseCampaignResponse(campaign=campaign_message(campaign))

    async def ResumeCampaign(
        self, request: campaign_service_pb2.ResumeCampaignRequest, context: Any
    ) -> campaign_service_pb2.ResumeCampaignResponse:
        """Lift a manual pause."""
        command = ResumeCampaign(request.actor, request.note)
        campaign = await self._parts.campaigns.execute(request.campaign_id, command)
        return campaign_service_pb2.ResumeCampaignResponse(campaign=campaign_message(campaign))

    async def CompleteCampaign(
        self, request: campaign_service_pb2.CompleteCampaignRequest, context: Any
    ) -> campaign_service_pb2.CompleteCampaignResponse:
        """End one for ever."""
        campaign = await self._parts.campaigns.execute(
            request.campaign_id, CompleteCampaign(request.actor)
        )
        return campaign_service_pb2.CompleteCampaignResponse(campaign=campaign_message(campaign))

    async def WatchCampaigns(
        self, request: campaign_service_pb2.WatchCampaignsRequest, context: Any
    ) -> AsyncGenerator[campaign_service_pb2.WatchCampaignsResponse, None]:
        """Tell how campaigns stand, again and again."""
        async with aclosing(self._parts.watching.watch(request.organization_id)) as campaigns:
            async for campaign in campaigns:
                yield campaign_service_pb2.WatchCampaignsResponse(
                    campaign=campaign_message(campaign)
                )

    async def ListCampaignChanges(
        self, request: campaign_service_pb2.ListCampaignChangesRequest, context: Any
    ) -> campaign_service_pb2.ListCampaignChangesResponse:
        """List history."""
        wanted = ChangeFilter(
            organization_id=request.organization_id,
            campaign_id=request.campaign_id,
            cause=optional_cause(request.cause),
            actor=request.actor,
            start_time=optional_time(request, "start_time"),
            end_time=optional_time(request, "end_time"),
        )
        page = await self._parts.campaigns.list_changes(
            wanted, request.page_size, request.page_token
        )
        return campaign_service_pb2.ListCampaignChangesResponse(
            changes=[change_message(change) for change in page.items],
            next_page_token=page.next_page_token,
        )
