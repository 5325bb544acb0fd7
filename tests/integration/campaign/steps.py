"""What tests do with a campaign service, in few words."""

from datetime import UTC, datetime
from itertools import count

import grpc

from libs.rpc.times import to_timestamp
from tollgate.billing_gateway.v1 import (
    subscription_observer_service_pb2,
    subscription_observer_service_pb2_grpc,
    subscription_pb2,
)
from tollgate.campaign.v1 import campaign_pb2, campaign_service_pb2, campaign_service_pb2_grpc
from tollgate.wallet.v1 import (
    wallet_observer_service_pb2,
    wallet_observer_service_pb2_grpc,
    wallet_pb2,
)

ORGANIZATION = "org-1"
FAR_FUTURE = datetime(2999, 1, 1, tzinfo=UTC)


class CampaignSteps:
    """Speaks to a campaign service as backends, the gateway and the wallet do."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.campaigns = campaign_service_pb2_grpc.CampaignServiceStub(channel)
        self.subscriptions = subscription_observer_service_pb2_grpc.SubscriptionObserverServiceStub(
            channel
        )
        self.wallets = wallet_observer_service_pb2_grpc.WalletObserverServiceStub(channel)
        self._revisions = count(1)

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
        )
        return (await self.campaigns.CreateCampaign(request)).campaign

    async def get(self, campaign_id: str = "spring") -> campaign_pb2.Campaign:
        request = campaign_service_pb2.GetCampaignRequest(campaign_id=campaign_id)
        return (await self.campaigns.GetCampaign(request)).campaign

    async def start(self, campaign_id: str = "spring") -> campaign_pb2.Campaign:
        request = campaign_service_pb2.StartCampaignRequest(campaign_id=campaign_id)
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
        request = campaign_service_pb2.CompleteCampaignRequest(campaign_id=campaign_id)
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

    async def list_ids(self, request: campaign_service_pb2.ListCampaignsRequest) -> list[str]:
        answer = await self.campaigns.ListCampaigns(request)
        return [campaign.campaign_id for campaign in answer.campaigns]

    async def report_subscription(
        self,
        *,
        good: bool,
        until: datetime = FAR_FUTURE,
        organization_id: str = ORGANIZATION,
        revision: int | None = None,
    ) -> int:
        state = "SUBSCRIPTION_STATE_ACTIVE" if good else "SUBSCRIPTION_STATE_SUSPENDED"
        request = subscription_observer_service_pb2.ReportSubscriptionRequest(
            organization_id=organization_id,
            revision=revision or next(self._revisions),
            state=subscription_pb2.SubscriptionState.Value(state),
            good_standing=good,
            good_until=to_timestamp(until),
        )
        return (await self.subscriptions.ReportSubscription(request)).stored_revision

    async def report_wallet(
        self,
        *,
        frozen: bool = False,
        depleted: bool = False,
        organization_id: str = ORGANIZATION,
        revision: int | None = None,
    ) -> int:
        request = wallet_observer_service_pb2.ReportWalletRequest(
            organization_id=organization_id,
            revision=revision or next(self._revisions),
            frozen=frozen,
            freeze_reasons=[wallet_pb2.FREEZE_REASON_OPERATOR] if frozen else [],
            depleted=depleted,
            ledger_currency_code="USD",
        )
        return (await self.wallets.ReportWallet(request)).stored_revision

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
