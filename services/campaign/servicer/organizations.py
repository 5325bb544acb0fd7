"""Rpcs of organizations, of one and of all together."""

from typing import Any

from services.campaign.domain.commands import ChangeStop, PauseOrganization, ResumeOrganization
from services.campaign.servicer.base import Rpcs
from services.campaign.servicer.messages import eligibility_message, emergency_stop_message
from tollgate.campaign.v1 import campaign_service_pb2


class OrganizationRpcs(Rpcs):
    """Translates; decides nothing."""

    async def PauseCampaigns(
        self, request: campaign_service_pb2.PauseCampaignsRequest, context: Any
    ) -> campaign_service_pb2.PauseCampaignsResponse:
        """Pause all that an organization has."""
        settlement = await self._parts.organizations.execute(
            request.organization_id, PauseOrganization(request.note, request.actor)
        )
        return campaign_service_pb2.PauseCampaignsResponse(
            paused_count=settlement.moved.paused_count
        )

    async def ResumeCampaignsIfEligible(
        self, request: campaign_service_pb2.ResumeCampaignsIfEligibleRequest, context: Any
    ) -> campaign_service_pb2.ResumeCampaignsIfEligibleResponse:
        """Lift the organization's pause."""
        settlement = await self._parts.organizations.execute(
            request.organization_id, ResumeOrganization(request.actor, request.note)
        )
        return campaign_service_pb2.ResumeCampaignsIfEligibleResponse(
            resumed_count=settlement.moved.resumed_count,
            eligibility=eligibility_message(settlement.eligibility),
        )

    async def GetEligibility(
        self, request: campaign_service_pb2.GetEligibilityRequest, context: Any
    ) -> campaign_service_pb2.GetEligibilityResponse:
        """Tell whether campaigns may run."""
        eligibility = await self._parts.organizations.get_eligibility(request.organization_id)
        return campaign_service_pb2.GetEligibilityResponse(
            eligibility=eligibility_message(eligibility)
        )

    async def PauseAllCampaigns(
        self, request: campaign_service_pb2.PauseAllCampaignsRequest, context: Any
    ) -> campaign_service_pb2.PauseAllCampaignsResponse:
        """Set the emergency stop."""
        command = ChangeStop(stands=True, note=request.note, actor=request.actor)
        moved = await self._parts.stopping.change(command)
        return campaign_service_pb2.PauseAllCampaignsResponse(paused_count=moved.paused_count)

    async def ResumeAllCampaigns(
        self, request: campaign_service_pb2.ResumeAllCampaignsRequest, context: Any
    ) -> campaign_service_pb2.ResumeAllCampaignsResponse:
        """Lift the emergency stop."""
        command = ChangeStop(stands=False, note=request.note, actor=request.actor)
        moved = await self._parts.stopping.change(command)
        return campaign_service_pb2.ResumeAllCampaignsResponse(resumed_count=moved.resumed_count)

    async def GetEmergencyStop(
        self, request: campaign_service_pb2.GetEmergencyStopRequest, context: Any
    ) -> campaign_service_pb2.GetEmergencyStopResponse:
        """Tell whether the emergency stop stands."""
        stop = await self._parts.stopping.read()
        return campaign_service_pb2.GetEmergencyStopResponse(
            emergency_stop=emergency_stop_message(stop)
        )
