"""CampaignService on the wire: requests become commands, campaigns become messages."""

from collections.abc import Iterable
from typing import Any

from libs.levels import SubscriptionLevel, WalletLevel
from libs.rpc.times import optional_time, to_timestamp
from libs.service import RpcService
from services.campaign.domain.commands import (
    CompleteCampaign,
    CreateCampaign,
    PauseCampaign,
    PauseOrganization,
    ResumeCampaign,
    ResumeOrganization,
    StartCampaign,
)
from services.campaign.domain.values import (
    Campaign,
    CampaignFilter,
    CampaignState,
    Eligibility,
    PauseReason,
)
from services.campaign.operations import CampaignOperations
from tollgate.campaign.v1 import campaign_pb2, campaign_service_pb2, campaign_service_pb2_grpc

SERVICE_NAME = "tollgate.campaign.v1.CampaignService"


class CampaignServicer(campaign_service_pb2_grpc.CampaignServiceServicer):
    """Translates; decides nothing."""

    def __init__(self, operations: CampaignOperations) -> None:
        self._operations = operations

    async def CreateCampaign(
        self, request: campaign_service_pb2.CreateCampaignRequest, context: Any
    ) -> campaign_service_pb2.CreateCampaignResponse:
        """Make a draft."""
        campaign = await self._operations.create_campaign(
            CreateCampaign(
                campaign_id=request.campaign_id,
                organization_id=request.organization_id,
                brand_id=request.brand_id,
                name=request.name,
            )
        )
        return campaign_service_pb2.CreateCampaignResponse(campaign=_campaign_message(campaign))

    async def GetCampaign(
        self, request: campaign_service_pb2.GetCampaignRequest, context: Any
    ) -> campaign_service_pb2.GetCampaignResponse:
        """Read a campaign."""
        campaign = await self._operations.get_campaign(request.campaign_id)
        return campaign_service_pb2.GetCampaignResponse(campaign=_campaign_message(campaign))

    async def ListCampaigns(
        self, request: campaign_service_pb2.ListCampaignsRequest, context: Any
    ) -> campaign_service_pb2.ListCampaignsResponse:
        """List campaigns."""
        page = await self._operations.list_campaigns(
            CampaignFilter(
                organization_id=request.organization_id,
                brand_id=request.brand_id,
                state=_state(request.state),
                pause_reason=_reason(request.pause_reason),
                paused_before=optional_time(request, "paused_before"),
                paused_after=optional_time(request, "paused_after"),
            ),
            request.page_size,
            request.page_token,
        )
        return campaign_service_pb2.ListCampaignsResponse(
            campaigns=[_campaign_message(campaign) for campaign in page.items],
            next_page_token=page.next_page_token,
        )

    async def StartCampaign(
        self, request: campaign_service_pb2.StartCampaignRequest, context: Any
    ) -> campaign_service_pb2.StartCampaignResponse:
        """Let a draft run."""
        campaign = await self._operations.execute(request.campaign_id, StartCampaign())
        return campaign_service_pb2.StartCampaignResponse(campaign=_campaign_message(campaign))

    async def PauseCampaign(
        self, request: campaign_service_pb2.PauseCampaignRequest, context: Any
    ) -> campaign_service_pb2.PauseCampaignResponse:
        """Pause one by hand."""
        command = PauseCampaign(request.note, request.actor)
        campaign = await self._operations.execute(request.campaign_id, command)
        return campaign_service_pb2.PauseCampaignResponse(campaign=_campaign_message(campaign))

    async def ResumeCampaign(
        self, request: campaign_service_pb2.ResumeCampaignRequest, context: Any
    ) -> campaign_service_pb2.ResumeCampaignResponse:
        """Lift a manual pause."""
        command = ResumeCampaign(request.actor)
        campaign = await self._operations.execute(request.campaign_id, command)
        return campaign_service_pb2.ResumeCampaignResponse(campaign=_campaign_message(campaign))

    async def CompleteCampaign(
        self, request: campaign_service_pb2.CompleteCampaignRequest, context: Any
    ) -> campaign_service_pb2.CompleteCampaignResponse:
        """End one for ever."""
        campaign = await self._operations.execute(request.campaign_id, CompleteCampaign())
        return campaign_service_pb2.CompleteCampaignResponse(campaign=_campaign_message(campaign))

    async def PauseCampaigns(
        self, request: campaign_service_pb2.PauseCampaignsRequest, context: Any
    ) -> campaign_service_pb2.PauseCampaignsResponse:
        """Pause all that an organization has."""
        settlement = await self._operations.execute_for_organization(
            request.organization_id, PauseOrganization(request.note, request.actor)
        )
        return campaign_service_pb2.PauseCampaignsResponse(paused_count=settlement.paused_count)

    async def ResumeCampaignsIfEligible(
        self, request: campaign_service_pb2.ResumeCampaignsIfEligibleRequest, context: Any
    ) -> campaign_service_pb2.ResumeCampaignsIfEligibleResponse:
        """Lift the organization's pause."""
        settlement = await self._operations.execute_for_organization(
            request.organization_id, ResumeOrganization(request.actor)
        )
        return campaign_service_pb2.ResumeCampaignsIfEligibleResponse(
            resumed_count=settlement.resumed_count,
            eligibility=_eligibility_message(settlement.eligibility),
        )

    async def GetEligibility(
        self, request: campaign_service_pb2.GetEligibilityRequest, context: Any
    ) -> campaign_service_pb2.GetEligibilityResponse:
        """Tell whether campaigns may run."""
        eligibility = await self._operations.get_eligibility(request.organization_id)
        return campaign_service_pb2.GetEligibilityResponse(
            eligibility=_eligibility_message(eligibility)
        )


def _state(value: campaign_pb2.CampaignState.ValueType) -> CampaignState | None:
    if value == campaign_pb2.CAMPAIGN_STATE_UNSPECIFIED:
        return None
    return CampaignState(campaign_pb2.CampaignState.Name(value).removeprefix("CAMPAIGN_STATE_"))


def _reason(value: campaign_pb2.PauseReason.ValueType) -> PauseReason | None:
    if value == campaign_pb2.PAUSE_REASON_UNSPECIFIED:
        return None
    return PauseReason(campaign_pb2.PauseReason.Name(value).removeprefix("PAUSE_REASON_"))


def _reason_values(reasons: Iterable[PauseReason]) -> list[campaign_pb2.PauseReason.ValueType]:
    return [_reason_value(reason) for reason in reasons]


def _reason_value(reason: PauseReason | None) -> campaign_pb2.PauseReason.ValueType:
    return campaign_pb2.PauseReason.Value(f"PAUSE_REASON_{reason or 'UNSPECIFIED'}")


def _campaign_message(campaign: Campaign) -> campaign_pb2.Campaign:
    return campaign_pb2.Campaign(
        campaign_id=campaign.campaign_id,
        organization_id=campaign.organization_id,
        brand_id=campaign.brand_id,
        name=campaign.name,
        state=campaign_pb2.CampaignState.Value(f"CAMPAIGN_STATE_{campaign.state}"),
        pause_reason=_reason_value(campaign.pause_reason),
        blockers=_reason_values(campaign.blockers),
        pause_time=to_timestamp(campaign.pause_time),
        note=campaign.manual_pause.note if campaign.manual_pause else "",
        create_time=to_timestamp(campaign.create_time),
        update_time=to_timestamp(campaign.update_time),
    )


def _eligibility_message(eligibility: Eligibility) -> campaign_pb2.Eligibility:
    organization = eligibility.organization
    return campaign_pb2.Eligibility(
        organization_id=organization.organization_id,
        eligible=eligibility.eligible,
        blockers=_reason_values(eligibility.blockers),
        subscription=_subscription_message(organization.subscription),
        wallet=_wallet_message(organization.wallet),
    )


def _subscription_message(
    level: SubscriptionLevel | None,
) -> campaign_pb2.SubscriptionLevel | None:
    if level is None:
        return None
    return campaign_pb2.SubscriptionLevel(
        revision=level.revision,
        good_standing=level.good_standing,
        good_until=to_timestamp(level.good_until),
    )


def _wallet_message(level: WalletLevel | None) -> campaign_pb2.WalletLevel | None:
    if level is None:
        return None
    return campaign_pb2.WalletLevel(
        revision=level.revision,
        frozen=level.frozen,
        depleted=level.depleted,
        owing_micros=level.owing_micros,
    )


def campaign_service(operations: CampaignOperations) -> RpcService:
    """Return the gRPC service of the campaigns."""
    return RpcService(
        SERVICE_NAME,
        CampaignServicer(operations),
        campaign_service_pb2_grpc.add_CampaignServiceServicer_to_server,
    )
