"""Whatever a person does, who did it and why is found for ever by some list."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from libs.levels import SubscriptionState
from services.billing_gateway.domain.values import Provider
from tests.integration.billing_gateway.subscriptions_told import at, is_, tell
from tests.support.errors import refusal
from tests.support.fake_provider import FakeProvider
from tests.support.level_steps import LevelSteps
from tests.support.locks import lock_waits, rows_locked
from tests.support.stack import Stack
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_events_pb2,
    billing_gateway_service_pb2,
    billing_gateway_service_subscriptions_pb2,
    provider_pb2,
    webhook_event_pb2,
)
from tollgate.campaign.v1 import campaign_service_pb2
from tollgate.operations.v1 import operations_service_pb2
from tollgate.operations.v1.operations_service_pb2_grpc import OperationsServiceStub
from tollgate.telephony.v1 import telephony_service_pb2
from tollgate.wallet.v1 import wallet_service_pb2

ANN = {"actor": "ann", "note": "ticket-7"}
ORG = {"organization_id": "org-1"}
SID = "AC" + "1" * 32


async def actions(stack: Stack, service: str) -> list[tuple[str, str, str]]:
    """Return what was done, to whom and to what, oldest first; all of it by ann, for one reason."""
    request = operations_service_pb2.ListOperatorActionsRequest()
    found = await OperationsServiceStub(stack.channel(service)).ListOperatorActions(request)
    assert {(each.actor, each.note) for each in found.actions} <= {("ann", "ticket-7")}
    return [(each.action, each.organization_id, each.reference) for each in found.actions][::-1]


def words(lines: Sequence[Any]) -> list[tuple[str, str]]:
    return [(line.actor, line.note) for line in lines]


@pytest.fixture
def stack_services() -> tuple[str, ...]:
    """Each test starts its own."""
    return "wallet", "campaign", "telephony", "billing_gateway"


async def test_of_the_wallet(stopped_stack: Stack) -> None:
    await stopped_stack.start("wallet")
    wallet = stopped_stack.wallet
    await wallet.CreateWallet(wallet_service_pb2.CreateWalletRequest(**ORG, currency_code="USD"))

    def update(**values: int) -> Any:
        return wallet.UpdateWallet(wallet_service_pb2.UpdateWalletRequest(**ORG, **ANN, **values))  # type: ignore[arg-type]

    # The same again, and one that is refused, have set nothing, in whatever batch they ride.
    async with rows_locked(stopped_stack.databases["wallet"], ["org-1"]):
        riding = asyncio.gather(
            update(depleted_below_micros=7_500),
            refusal(update(depleted_below_micros=5, resume_above_micros=2)),
        )
        await eventually(
            lambda: lock_waits(stopped_stack.databases["wallet"]), lambda count: count == 1
        )
    _, refused = await riding
    assert refused.reason == "INVALID_ARGUMENT"
    await update(depleted_below_micros=7_500)
    await update(resume_above_micros=9_000)
    assert await actions(stopped_stack, "wallet") == [
        ("UpdateWallet", "org-1", "depleted_below_micros=7500 resume_above_micros=7500"),
        ("UpdateWallet", "org-1", "depleted_below_micros=7500 resume_above_micros=9000"),
    ]


async def test_of_campaigns(stopped_stack: Stack) -> None:
    """Also where no campaign was moved, so that none has a line of it."""
    await stopped_stack.start("campaign")
    campaigns, pb = stopped_stack.campaign, campaign_service_pb2
    for _ in range(2):
        await campaigns.PauseCampaigns(pb.PauseCampaignsRequest(**ORG, **ANN))
    await campaigns.ResumeCampaignsIfEligible(pb.ResumeCampaignsIfEligibleRequest(**ORG, **ANN))
    for _ in range(2):
        await campaigns.PauseAllCampaigns(pb.PauseAllCampaignsRequest(**ANN))
    await campaigns.ResumeAllCampaigns(pb.ResumeAllCampaignsRequest(**ANN))
    assert await actions(stopped_stack, "campaign") == [
        ("PauseCampaigns", "org-1", ""),
        ("ResumeCampaignsIfEligible", "org-1", ""),
        ("PauseAllCampaigns", "", ""),
        ("ResumeAllCampaigns", "", ""),
    ]
    levels = LevelSteps(stopped_stack.channel("campaign"))
    await levels.report_subscription(good=True)
    await levels.report_wallet()
    draft = pb.CreateCampaignRequest(campaign_id="spring", brand_id="acme", **ORG)
    await campaigns.CreateCampaign(draft)
    await campaigns.StartCampaign(pb.StartCampaignRequest(campaign_id="spring"))
    await campaigns.PauseCampaign(pb.PauseCampaignRequest(campaign_id="spring", **ANN))
    await campaigns.ResumeCampaign(pb.ResumeCampaignRequest(campaign_id="spring", **ANN))
    history = await campaigns.ListCampaignChanges(pb.ListCampaignChangesRequest(page_size=2))
    assert words(history.changes) == [("ann", "ticket-7")] * 2


async def test_of_subaccounts(stopped_stack: Stack) -> None:
    """Also where an organization has none, so that none has a line of it."""
    await stopped_stack.start("telephony")
    telephony, pb = stopped_stack.telephony, telephony_service_pb2
    for _ in range(2):
        await telephony.SuspendSubaccounts(pb.SuspendSubaccountsRequest(**ORG, **ANN))
    await telephony.ReactivateSubaccounts(pb.ReactivateSubaccountsRequest(**ORG, **ANN))
    await telephony.ReconcileSubaccounts(pb.ReconcileSubaccountsRequest(**ORG, **ANN))
    assert await actions(stopped_stack, "telephony") == [
        ("SuspendSubaccounts", "org-1", ""),
        ("ReactivateSubaccounts", "org-1", ""),
        ("ReconcileSubaccounts", "org-1", ""),
    ]
    registration = pb.RegisterSubaccountRequest(account_sid=SID, actor="ann", **ORG)
    await telephony.RegisterSubaccount(registration)
    history = await telephony.ListSubaccountChanges(pb.ListSubaccountChangesRequest())
    assert words(history.changes)[-1:] == [("ann", "")]


async def test_of_subscriptions(stopped_stack: Stack) -> None:
    paypal = FakeProvider(Provider.PAYPAL)
    stopped_stack.gateway_providers = {Provider.PAYPAL: paypal}
    await stopped_stack.start("billing_gateway")
    gateway = stopped_stack.gateway
    await gateway.LinkSubscription(
        billing_gateway_service_pb2.LinkSubscriptionRequest(
            provider=provider_pb2.PROVIDER_PAYPAL,
            provider_subscription_id="I-1",
            **ORG,
            **ANN,
        )
    )
    # Nobody has told PayPal's fake of the subscription: who asked in vain is known as well.
    sync = billing_gateway_service_subscriptions_pb2.SyncSubscriptionRequest(
        provider_subscription_id="I-1", **ORG, **ANN
    )
    await refusal(gateway.SyncSubscription(sync))
    told = is_(SubscriptionState.SUSPENDED, at(1), confirmed=True)
    paypal.answer("I-1", told, provider_time=at(1))
    await gateway.SyncSubscription(sync)
    assert await actions(stopped_stack, "billing_gateway") == [
        ("SyncSubscription", "org-1", "I-1"),
        ("SyncSubscription", "org-1", "I-1"),
    ]
    history = await gateway.ListSubscriptionChanges(
        billing_gateway_service_subscriptions_pb2.ListSubscriptionChangesRequest()
    )
    assert words(history.changes) == [("ann", "ticket-7"), ("ann", "ticket-7")]


async def test_of_events(stopped_stack: Stack) -> None:
    stopped_stack.gateway_providers = {Provider.PAYPAL: FakeProvider(Provider.PAYPAL)}
    await stopped_stack.start("billing_gateway")
    await tell(stopped_stack, "WH-1", is_(SubscriptionState.ACTIVE, at(1)))

    def replay(**wanted: Any) -> Any:
        request = billing_gateway_service_events_pb2.ReplayWebhookEventsRequest(
            provider=provider_pb2.PROVIDER_PAYPAL, actor="ann", note="ticket-7", **wanted
        )
        return stopped_stack.gateway.ReplayWebhookEvents(request)

    await replay(event_id="WH-1")
    assert (await refusal(replay(event_id="none"))).reason == "EVENT_NOT_FOUND"
    await replay(state=webhook_event_pb2.WEBHOOK_EVENT_STATE_DEAD, organization_id="org-1")
    assert await actions(stopped_stack, "billing_gateway") == [
        ("ReplayWebhookEvents", "org-1", "PAYPAL WH-1"),
        ("ReplayWebhookEvents", "org-1", "provider=PAYPAL state=DEAD"),
    ]
