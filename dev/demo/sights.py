"""How one organization stands at each service, in words."""

from dev.demo.organization import CAMPAIGN_NAMES, Organization
from dev.demo.tollgate import Tollgate
from dev.demo.words import money, short, standing, subscription_state
from libs.rpc.client import call
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_pb2,
    payment_pb2,
    provider_pb2,
    subscription_pb2,
)
from tollgate.campaign.v1 import campaign_pb2, campaign_service_pb2
from tollgate.telephony.v1 import subaccount_pb2, telephony_service_pb2
from tollgate.wallet.v1 import wallet_pb2, wallet_service_pb2

TIMEOUT_SECONDS = 5.0


class Sights:
    """Looks, and changes nothing."""

    def __init__(self, tollgate: Tollgate, organization: Organization) -> None:
        self._tollgate = tollgate
        self._organization = organization
        self._organization_id = organization.organization_id

    async def subscription(self) -> str:
        return standing((await self._get_subscription()).level)

    async def subscriptions(self) -> str:
        """Each that the organization has, or had."""
        subscriptions = (await self._get_subscription()).subscriptions
        return "\n".join(sorted(_tell_subscription(each) for each in subscriptions))

    async def _get_subscription(self) -> billing_gateway_service_pb2.GetSubscriptionResponse:
        request = billing_gateway_service_pb2.GetSubscriptionRequest(
            organization_id=self._organization_id
        )
        gateway = self._tollgate.gateway
        return await call("billing_gateway", gateway.GetSubscription, request, TIMEOUT_SECONDS)

    async def wallet(self) -> str:
        request = wallet_service_pb2.GetWalletRequest(organization_id=self._organization_id)
        wallet = self._tollgate.wallet
        answer = await call("wallet", wallet.GetWallet, request, TIMEOUT_SECONDS)
        return _tell_wallet(answer.wallet)

    async def payment(self, payment_id: str) -> str:
        return _tell_payment(await self._get_payment(payment_id))

    async def money_id(self, payment_id: str) -> str:
        """The provider's own id of the money that was paid, by any other id of the payment."""
        return (await self._get_payment(payment_id)).payment_id.partition(":")[2]

    async def _get_payment(self, payment_id: str) -> payment_pb2.Payment:
        provider = payment_id.partition(":")[0].upper()
        request = billing_gateway_service_pb2.GetPaymentRequest(
            provider=provider_pb2.Provider.Value(f"PROVIDER_{provider}"), payment_id=payment_id
        )
        gateway = self._tollgate.gateway
        answer = await call("billing_gateway", gateway.GetPayment, request, TIMEOUT_SECONDS)
        return answer.payment

    async def entries(self, payment_id: str) -> str:
        """Every entry that the payment has brought about."""
        payment = await self._get_payment(payment_id)
        request = wallet_service_pb2.ListEntriesRequest(
            organization_id=self._organization_id, payment_id=payment.payment_id
        )
        wallet = self._tollgate.wallet
        answer = await call("wallet", wallet.ListEntries, request, TIMEOUT_SECONDS)
        return "\n".join(_tell_entry(entry) for entry in answer.entries)

    async def eligibility(self) -> str:
        request = campaign_service_pb2.GetEligibilityRequest(organization_id=self._organization_id)
        campaign = self._tollgate.campaign
        answer = await call("campaign", campaign.GetEligibility, request, TIMEOUT_SECONDS)
        blockers = [_tell_pause_reason(each) for each in answer.eligibility.blockers]
        return f"not eligible: {', '.join(blockers)}" if blockers else "eligible"

    async def campaigns(self) -> str:
        request = campaign_service_pb2.ListCampaignsRequest(organization_id=self._organization_id)
        campaign = self._tollgate.campaign
        answer = await call("campaign", campaign.ListCampaigns, request, TIMEOUT_SECONDS)
        by_name = {campaign.name: campaign for campaign in answer.campaigns}
        return "\n".join(
            _tell_campaign(by_name[name]) for name in CAMPAIGN_NAMES if name in by_name
        )

    async def aftermath(self, account_sid: str) -> str:
        """What was ended since the suspension."""
        request = telephony_service_pb2.GetSubaccountRequest(account_sid=account_sid)
        telephony = self._tollgate.telephony
        answer = await call("telephony", telephony.GetSubaccount, request, TIMEOUT_SECONDS)
        return _tell_aftermath(answer.subaccount.aftermath)

    async def subaccounts(self) -> str:
        request = telephony_service_pb2.ListSubaccountsRequest(
            organization_id=self._organization_id
        )
        telephony = self._tollgate.telephony
        answer = await call("telephony", telephony.ListSubaccounts, request, TIMEOUT_SECONDS)
        return "\n".join(_tell_subaccount(subaccount) for subaccount in answer.subaccounts)

    async def sending(self) -> str:
        request = telephony_service_pb2.CanOrganizationSendRequest(
            organization_id=self._organization_id
        )
        telephony = self._tollgate.telephony
        answer = await call("telephony", telephony.CanOrganizationSend, request, TIMEOUT_SECONDS)
        blockers = [_tell_blocker(each) for each in answer.blockers]
        return "may send" if answer.allowed else f"may not send: {', '.join(blockers)}"

    async def twilio(self) -> str:
        """Not what Tollgate believes, but what Twilio would answer."""
        return "\n".join(
            [
                f"{short(account_sid)} {await self._tollgate.twilio_status(account_sid)}"
                for account_sid in self._organization.account_sids
            ]
        )


def _tell_subscription(subscription: subscription_pb2.Subscription) -> str:
    provider = provider_pb2.Provider.Name(subscription.provider).removeprefix("PROVIDER_")
    return f"{provider} {subscription_state(subscription.state)}"


def _tell_payment(payment: payment_pb2.Payment) -> str:
    state = payment_pb2.PaymentState.Name(payment.state).removeprefix("PAYMENT_STATE_")
    gone = [f"reversed {money(payment.reversed_micros)}"] if payment.reversed_micros else []
    open_ = [f"at risk {money(payment.at_risk_micros)}"] if payment.at_risk_micros else []
    return ", ".join([state, f"credited {money(payment.credited_micros)}", *gone, *open_])


def _tell_wallet(wallet: wallet_pb2.Wallet) -> str:
    reasons = [
        wallet_pb2.FreezeReason.Name(freeze.reason).removeprefix("FREEZE_REASON_")
        for freeze in wallet.freezes
    ]
    held = [f"{money(wallet.held_micros)} held"] if wallet.held_micros else []
    frozen = [f"frozen ({', '.join(reasons)})"] if wallet.frozen else []
    depleted = ["depleted"] if wallet.depleted else []
    return ", ".join([money(wallet.balance_micros), *held, *depleted, *frozen])


def _tell_entry(entry: wallet_pb2.Entry) -> str:
    entry_type = wallet_pb2.EntryType.Name(entry.type).removeprefix("ENTRY_TYPE_")
    return f"{entry_type} {money(entry.amount_micros)}"


def _tell_campaign(campaign: campaign_pb2.Campaign) -> str:
    state = campaign_pb2.CampaignState.Name(campaign.state).removeprefix("CAMPAIGN_STATE_")
    if not campaign.pause_reason:
        return f"{campaign.name} {state}"
    return f"{campaign.name} {state} ({_tell_pause_reason(campaign.pause_reason)})"


def _tell_pause_reason(reason: campaign_pb2.PauseReason.ValueType) -> str:
    return campaign_pb2.PauseReason.Name(reason).removeprefix("PAUSE_REASON_")


def _tell_blocker(blocker: subaccount_pb2.Blocker.ValueType) -> str:
    return subaccount_pb2.Blocker.Name(blocker).removeprefix("BLOCKER_")


def _tell_aftermath(aftermath: subaccount_pb2.Aftermath) -> str:
    left = "nothing left" if aftermath.HasField("clear_time") else "not done yet"
    return f"calls ended: {aftermath.ended_call_count}, {left}"


def _tell_subaccount(subaccount: subaccount_pb2.Subaccount) -> str:
    observed = subaccount_pb2.ObservedState.Name(subaccount.observed)
    wanted = subaccount_pb2.WantedState.Name(subaccount.wanted)
    return (
        f"{short(subaccount.account_sid)} {observed.removeprefix('OBSERVED_STATE_')}, "
        f"wanted {wanted.removeprefix('WANTED_STATE_')}"
    )
