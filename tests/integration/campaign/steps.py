"""What tests do with a campaign service, in few words."""

import grpc

from tests.support.level_steps import ORGANIZATION, LevelSteps
from tollgate.campaign.v1 import campaign_pb2, campaign_service_pb2, campaign_service_pb2_grpc


class CampaignSteps(LevelSteps):
    """Speaks to a campaign service as backends, the gateway and the wallet do."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        super().__init__(channel)
        self.campaigns = campaign_service_pb2_grpc.CampaignServiceStub(channel)

    async def create(
        self,
        campaign_id: str = "spring",
        organization_id: str = ORGANIZATION,
        brand_id: str = "brand-1",
        name: str = "Spring sale",
    ) -> campaign_pb2.Campaign:
        request = campaign_service_pb2.CreateCampaignRequest(
            campaign_id=campaign_id,
            organization_id=organization_id,
            brand_id=brand_id,
            name=name,
            actor="ann",
        )
        return (await self.campaigns.CreateCampaign(request)).campaign

    async def get(self, campaign_id: str = "spring") -> campaign_pb2.Campaign:
        request = campaign_service_pb2.GetCampaignRequest(campaign_id=campaign_id)
        return (await self.campaigns.GetCampaign(request)).campaign

    async def start(self, campaign_id: str = "spring") -> campaign_pb2.Campaign:
        request = campaign_service_pb2.StartCampaignRequest(campaign_id=campaign_id, actor="bob")
        return (await self.campaigns.StartCampaign(request)).campaign

    async def pause(self, campaign_id: str = "spring", note: str = "") -> campaign_pb2.Campaign:
        request = campaign_service_pb2.PauseCampaignRequest(
            campaign_id=campaign_id, note=note, actor="ann"
        )
        return (await self.campaigns.PauseCampaign(request)).campaign

    async def resume(self, campaign_id: str = "spring") -> campaign_pb2.Campaign:
        request = campaign_service_pb2.ResumeCampaignRequest(campaign_id=campaign_id, actor="ann")
        return (await self.campaigns.ResumeCampaign(request)).campaign

    async def complete(self, campaign_id: str = "spring") -> campaign_pb2.Campaign:
        request = campaign_service_pb2.CompleteCampaignRequest(campaign_id=campaign_id, actor="cyd")
        return (await self.campaigns.CompleteCampaign(request)).campaign

    async def pause_organization(self, organization_id: str = ORGANIZATION) -> int:
        request = campaign_service_pb2.PauseCampaignsRequest(
            organization_id=organization_id, note="complaints", actor="ann"
        )
        return (await self.campaigns.PauseCampaigns(request)).paused_count

    async def resume_organization(
        self, organization_id: str = ORGANIZATION
    ) -> campaign_service_pb2.ResumeCampaignsIfEligibleResponse:
        request = campaign_service_pb2.ResumeCampaignsIfEligibleRequest(
            organization_id=organization_id, actor="ann"
        )
        return await self.campaigns.ResumeCampaignsIfEligible(request)

    async def eligibility(self, organization_id: str = ORGANIZATION) -> campaign_pb2.Eligibility:
        request = campaign_service_pb2.GetEligibilityRequest(organization_id=organization_id)
        return (await self.campaigns.GetEligibility(request)).eligibility

    async def stop_all(self, note: str = "wrong prices", actor: str = "eve") -> int:
        request = campaign_service_pb2.PauseAllCampaignsRequest(note=note, actor=actor)
        return (await self.campaigns.PauseAllCampaigns(request)).paused_count

    async def resume_all(self, note: str = "prices are right", actor: str = "eve") -> int:
        request = campaign_service_pb2.ResumeAllCampaignsRequest(note=note, actor=actor)
        return (await self.campaigns.ResumeAllCampaigns(request)).resumed_count

    async def emergency_stop(self) -> campaign_pb2.EmergencyStop:
        request = campaign_service_pb2.GetEmergencyStopRequest()
        return (await self.campaigns.GetEmergencyStop(request)).emergency_stop

    async def history(
        self, wanted: campaign_service_pb2.ListCampaignChangesRequest | None = None
    ) -> list[campaign_pb2.CampaignChange]:
        """Return the changes that a request finds, oldest first."""
        request = wanted or campaign_service_pb2.ListCampaignChangesRequest()
        answer = await self.campaigns.ListCampaignChanges(request)
        return list(reversed(answer.changes))

    async def list_ids(self, request: campaign_service_pb2.ListCampaignsRequest) -> list[str]:
        answer = await self.campaigns.ListCampaigns(request)
        return [campaign.campaign_id for campaign in answer.campaigns]

    async def make_eligible(self, organization_id: str = ORGANIZATION) -> None:
        await self.report_subscription(good=True, organization_id=organization_id)
        await self.report_wallet(organization_id=organization_id)

    async def create_running(self, *campaign_ids: str, organization_id: str = ORGANIZATION) -> None:
        for campaign_id in campaign_ids:
            await self.create(campaign_id, organization_id)
            await self.start(campaign_id)


def state_of(campaign: campaign_pb2.Campaign) -> str:
    """Return a campaign's state and why it is paused: RUNNING, PAUSED WALLET_FROZEN."""
    state = campaign_pb2.CampaignState.Name(campaign.state).removeprefix("CAMPAIGN_STATE_")
    if not campaign.pause_reason:
        return state
    return f"{state} {names([campaign.pause_reason])[0]}"


def blockers_of(message: campaign_pb2.Campaign | campaign_pb2.Eligibility) -> list[str]:
    """Return the names of all blockers."""
    return names(list(message.blockers))


def names(reasons: list[campaign_pb2.PauseReason.ValueType]) -> list[str]:
    """Return the names of reasons without their prefix."""
    return [campaign_pb2.PauseReason.Name(each).removeprefix("PAUSE_REASON_") for each in reasons]


def told_of(change: campaign_pb2.CampaignChange) -> str:
    """Return a line: spring: RUNNING > PAUSED MANUAL_PAUSE, COMMAND by ann: wrong text."""
    states = [
        campaign_pb2.CampaignState.Name(each).removeprefix("CAMPAIGN_STATE_")
        for each in (change.from_state, change.to_state)
    ]
    reason = f" {names([change.pause_reason])[0]}" if change.pause_reason else ""
    cause = campaign_pb2.CampaignChangeCause.Name(change.cause)
    by = f" by {change.actor}" if change.actor else ""
    note = f": {change.note}" if change.note else ""
    return (
        f"{change.campaign_id}: {' > '.join(states)}{reason}, "
        f"{cause.removeprefix('CAMPAIGN_CHANGE_CAUSE_')}{by}{note}"
    )
