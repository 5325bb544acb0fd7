"""What the platform and its customers ask of Tollgate, and each answer in words."""

from datetime import datetime

from dev.demo.organization import BRAND_ID, CURRENCY_CODE, Organization
from dev.demo.tollgate import Tollgate
from dev.demo.words import money, standing, subscription_state
from libs.rpc.client import call
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_payments_pb2,
    billing_gateway_service_pb2,
    billing_gateway_service_subscriptions_pb2,
    payment_pb2,
    provider_pb2,
)
from tollgate.campaign.v1 import campaign_pb2, campaign_service_pb2
from tollgate.telephony.v1 import telephony_service_pb2
from tollgate.wallet.v1 import wallet_service_pb2

TIMEOUT_SECONDS = 5.0
# It waits for Twilio.
RECONCILE_SECONDS = 30.0
RETURN_URL = "https://platform.example/done"
CANCEL_URL = "https://platform.example/back"

# What a customer presses on a provider's page.
AGREEMENTS = {"paypal": {"decision": "approve"}, "stripe": {"act": "pay"}}


class Platform:
    """One organization's side of the story."""

    def __init__(self, tollgate: Tollgate, organization: Organization) -> None:
        self._tollgate = tollgate
        self._organization = organization
        # By the reference with which each was asked for.
        self._pages: dict[str, str] = {}
        self._payment_ids: dict[str, str] = {}

    def payment_id(self, reference_id: str) -> str:
        """What a payment was called when it was asked for; it is found by that for ever."""
        return self._payment_ids[reference_id]

    async def link_subscription(self, subscription_id: str) -> str:
        request = billing_gateway_service_pb2.LinkSubscriptionRequest(
            organization_id=self._organization.organization_id,
            provider=provider_pb2.PROVIDER_STRIPE,
            provider_subscription_id=subscription_id,
            currency_code=CURRENCY_CODE,
        )
        gateway = self._tollgate.gateway
        await call("billing_gateway", gateway.LinkSubscription, request, TIMEOUT_SECONDS)
        return "linked"

    async def create_top_up(self, provider: str, amount_micros: int, reference_id: str) -> str:
        request = billing_gateway_service_payments_pb2.CreateTopUpRequest(
            organization_id=self._organization.organization_id,
            provider=_to_provider(provider),
            amount_micros=amount_micros,
            currency_code=CURRENCY_CODE,
            reference_id=reference_id,
            return_url=RETURN_URL,
            cancel_url=CANCEL_URL,
        )
        gateway = self._tollgate.gateway
        answer = await call("billing_gateway", gateway.CreateTopUp, request, TIMEOUT_SECONDS)
        self._pages[reference_id] = answer.checkout_url
        self._payment_ids[reference_id] = answer.payment.payment_id
        state = payment_pb2.PaymentState.Name(answer.payment.state)
        return state.removeprefix("PAYMENT_STATE_")

    async def create_subscription(self, plan_id: str, reference_id: str) -> str:
        request = billing_gateway_service_subscriptions_pb2.CreateSubscriptionRequest(
            organization_id=self._organization.organization_id,
            provider=provider_pb2.PROVIDER_PAYPAL,
            plan_id=plan_id,
            reference_id=reference_id,
            return_url=RETURN_URL,
            cancel_url=CANCEL_URL,
        )
        gateway = self._tollgate.gateway
        answer = await call("billing_gateway", gateway.CreateSubscription, request, TIMEOUT_SECONDS)
        self._pages[reference_id] = answer.approval_url
        return subscription_state(answer.subscription.state)

    async def cancel_subscription(self, subscription_id: str) -> str:
        request = billing_gateway_service_subscriptions_pb2.CancelSubscriptionRequest(
            organization_id=self._organization.organization_id,
            provider_subscription_id=subscription_id,
            note="now at PayPal",
        )
        gateway = self._tollgate.gateway
        answer = await call("billing_gateway", gateway.CancelSubscription, request, TIMEOUT_SECONDS)
        return subscription_state(answer.subscription.state)

    async def grant_grace(self, until: datetime) -> str:
        request = billing_gateway_service_subscriptions_pb2.GrantGraceRequest(
            organization_id=self._organization.organization_id,
            note="has promised to pay",
        )
        request.until.FromDatetime(until)
        gateway = self._tollgate.operator_gateway
        answer = await call("billing_gateway", gateway.GrantGrace, request, TIMEOUT_SECONDS)
        return standing(answer.level)

    async def agree(self, provider: str, reference_id: str) -> str:
        """The customer pays or approves, on the page that the platform sends them to."""
        sent_to = await self._tollgate.send_form(self._pages[reference_id], AGREEMENTS[provider])
        return "sent back to the platform" if sent_to.startswith(RETURN_URL) else sent_to

    async def register_subaccount(self, account_sid: str) -> str:
        request = telephony_service_pb2.RegisterSubaccountRequest(
            organization_id=self._organization.organization_id,
            brand_id=BRAND_ID,
            account_sid=account_sid,
        )
        telephony = self._tollgate.telephony
        await call("telephony", telephony.RegisterSubaccount, request, TIMEOUT_SECONDS)
        return "registered"

    async def reconcile(self) -> str:
        request = telephony_service_pb2.ReconcileSubaccountsRequest(
            organization_id=self._organization.organization_id
        )
        telephony = self._tollgate.telephony
        await call("telephony", telephony.ReconcileSubaccounts, request, RECONCILE_SECONDS)
        return "looked at"

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
            campaign_id=self._organization.campaign_id(name), note="wrong text"
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
        wallet = self._tollgate.sender_wallet
        answer = await call("wallet", wallet.Debit, request, TIMEOUT_SECONDS)
        left = f"{money(answer.entry.balance_after_micros)} left"
        return f"{left}, replayed" if answer.replayed else left


def _to_provider(name: str) -> provider_pb2.Provider.ValueType:
    return provider_pb2.Provider.Value(f"PROVIDER_{name.upper()}")


def _state_of(campaign: campaign_pb2.Campaign) -> str:
    return campaign_pb2.CampaignState.Name(campaign.state).removeprefix("CAMPAIGN_STATE_")
