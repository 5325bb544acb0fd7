"""What the platform asks of Tollgate, and each answer in words."""

from dev.demo.organization import BRAND_ID, CURRENCY_CODE, Organization
from dev.demo.tollgate import Tollgate
from dev.demo.words import money
from libs.rpc.client import call
from tollgate.billing_gateway.v1 import billing_gateway_service_pb2, provider_pb2
from tollgate.campaign.v1 import campaign_pb2, campaign_service_pb2
from tollgate.telephony.v1 import telephony_service_pb2
from tollgate.wallet.v1 import wallet_service_pb2

TIMEOUT_SECONDS = 5.0


class Platform:
    """One organization's side of the story."""

    def __init__(self, tollgate: Tollgate, organization: Organization) -> None:
        self._tollgate = tollgate
        self._organization = organization

    async def link_subscription(self) -> str:
        customer = self._organization.customer
        request = billing_gateway_service_pb2.LinkSubscriptionRequest(
            organization_id=self._organization.organization_id,
            provider=provider_pb2.PROVIDER_STRIPE,
            provider_subscription_id=customer.subscription_id,
            provider_customer_id=customer.customer_id,
            plan_id=customer.price_id,
            currency_code=CURRENCY_CODE,
        )
        gateway = self._tollgate.gateway
        await call("billing_gateway", gateway.LinkSubscription, request, TIMEOUT_SECONDS)
        return "linked"

    async def register_subaccount(self, account_sid: str) -> str:
        request = telephony_service_pb2.RegisterSubaccountRequest(
            organization_id=self._organization.organization_id,
            brand_id=BRAND_ID,
            account_sid=account_sid,
        )
        telephony = self._tollgate.telephony
        await call("telephony", telephony.RegisterSubaccount, request, TIMEOUT_SECONDS)
        return "registered"

    async def create_campaign(self, name: str) -> str:
        request = campaign_service_pb2.CreateCampaignRequest(
            campaign_id=self._organization.campaign_id(name),
            organization_id=self._organization.organization_id,
            brand_id=BRAND_ID,
            name=name,
        )
        campaign = self._tollgate.campaign
        answer = await call("campaign", campaign.CreateCampaign, request, TIMEOUT_SECONDS)
        return _state_of(answer.campaign)

    async def start_campaign(self, name: str) -> str:
        request = campaign_service_pb2.StartCampaignRequest(
            campaign_id=self._organization.campaign_id(name)
        )
        campaign = self._tollgate.campaign
        answer = await call("campaign", campaign.StartCampaign, request, TIMEOUT_SECONDS)
        return _state_of(answer.campaign)

    async def pause_campaign(self, name: str) -> str:
        request = campaign_service_pb2.PauseCampaignRequest(
            campaign_id=self._organization.campaign_id(name), note="wrong text", actor="demo"
        )
        campaign = self._tollgate.campaign
        answer = await call("campaign", campaign.PauseCampaign, request, TIMEOUT_SECONDS)
        return _state_of(answer.campaign)

    async def debit(self, amount_micros: int, reference_id: str) -> str:
        request = wallet_service_pb2.DebitRequest(
            organization_id=self._organization.organization_id,
            amount_micros=amount_micros,
            currency_code=CURRENCY_CODE,
            reference_id=reference_id,
        )
        wallet = self._tollgate.wallet
        answer = await call("wallet", wallet.Debit, request, TIMEOUT_SECONDS)
        left = f"{money(answer.entry.balance_after_micros)} left"
        return f"{left}, replayed" if answer.replayed else left


def _state_of(campaign: campaign_pb2.Campaign) -> str:
    return campaign_pb2.CampaignState.Name(campaign.state).removeprefix("CAMPAIGN_STATE_")
