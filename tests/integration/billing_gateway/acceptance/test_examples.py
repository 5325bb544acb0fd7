"""Every example of the gateway's protos, in their order, against both simulated providers.

Once as an operator sends them, with grpcurl, and once through the generated code.
"""

from datetime import timedelta
from typing import Any

import pytest

from dev.simulators.paypal.objects import Subscription
from dev.stripe_simulator import Customer, to_body, top_up_event
from services.billing_gateway.domain.values import Provider
from tests.integration.billing_gateway.acceptance.ends import quiet
from tests.integration.billing_gateway.subscriptions_told import standing_of
from tests.support.examples import Send, every_way, require_answer
from tests.support.rpc_comments import BILLING_GATEWAY, read_rpc_comments
from tests.support.stack import Stack, now
from tests.support.two_providers import PLAN, TwoProviders
from tests.support.waiting import eventually

CAPTURE = "39W39499W4454115Y"

# What each answer says, in the order of the examples; None where it is silent.
ANSWERS: list[tuple[str, Any]] = [
    (
        "LinkSubscription",
        {"subscription": {"organizationId": "org-1", "providerSubscriptionId": "I-1"}},
    ),
    (
        "CreateSubscription",
        {
            "subscription": {
                "provider": "PROVIDER_STRIPE",
                "providerSubscriptionId": None,
                "planId": "price_1",
                "state": "SUBSCRIPTION_STATE_PENDING",
            },
            "replayed": None,
        },
    ),
    (
        "CancelSubscription",
        {
            "subscription": {
                "providerSubscriptionId": "I-1",
                "state": "SUBSCRIPTION_STATE_ACTIVE",
                "cancelAtPeriodEnd": True,
            }
        },
    ),
    (
        "ReactivateSubscription",
        {"subscription": {"state": "SUBSCRIPTION_STATE_ACTIVE", "goodStanding": True}},
    ),
    ("SyncSubscription", {"subscriptions": [{"state": "SUBSCRIPTION_STATE_ACTIVE"}]}),
    (
        "GetSubscription",
        {
            "decidingSubscription": {"providerSubscriptionId": "I-1"},
            "subscriptions": [{"provider": "PROVIDER_PAYPAL", "planId": PLAN}],
            "level": {"state": "SUBSCRIPTION_STATE_ACTIVE", "goodStanding": True},
        },
    ),
    ("ListSubscriptions", {"subscriptions": None, "nextPageToken": None}),
    ("GrantGrace", {"level": {"operatorGraceEndTime": "2026-12-01T00:00:00Z"}}),
    (
        "ListSubscriptionChanges",
        {
            "changes": [
                {"cause": "SUBSCRIPTION_CHANGE_CAUSE_GRACE", "actor": "ann", "note": "ticket-7"},
                {
                    "cause": "SUBSCRIPTION_CHANGE_CAUSE_REACTIVATE",
                    "fromState": "SUBSCRIPTION_STATE_SUSPENDED",
                    "toState": "SUBSCRIPTION_STATE_ACTIVE",
                },
                {"cause": "SUBSCRIPTION_CHANGE_CAUSE_REACTIVATE", "note": "paid by bank transfer"},
                {
                    "cause": "SUBSCRIPTION_CHANGE_CAUSE_EVENT",
                    "toState": "SUBSCRIPTION_STATE_SUSPENDED",
                },
                {"cause": "SUBSCRIPTION_CHANGE_CAUSE_CANCEL", "note": "moves away"},
                {"cause": "SUBSCRIPTION_CHANGE_CAUSE_LOOK"},
                {"cause": "SUBSCRIPTION_CHANGE_CAUSE_LINK"},
            ]
        },
    ),
    (
        "CreateTopUp",
        {
            "payment": {
                "organizationId": "org-1",
                "state": "PAYMENT_STATE_PENDING",
                "checkoutReferenceId": "top-up-1",
            },
            "replayed": None,
        },
    ),
    (
        "GetPayment",
        {
            "payment": {
                "paymentId": "stripe:pi_1",
                "state": "PAYMENT_STATE_PARKED",
                "paidMicros": "25000000",
                "creditedMicros": None,
                "eventIds": ["evt_1"],
            }
        },
    ),
    (
        "ListPayments",
        {"payments": [{"provider": "PROVIDER_PAYPAL"}, {"provider": "PROVIDER_STRIPE"}]},
    ),
    (
        "AssignPayment",
        {
            "payment": {
                "organizationId": "org-1",
                "state": "PAYMENT_STATE_PAID",
                "creditedMicros": "10000000",
            }
        },
    ),
    ("ListWebhookEvents", {"events": None, "nextPageToken": None}),
    (
        "GetWebhookEvent",
        {"event": {"eventId": "evt_1", "state": "WEBHOOK_EVENT_STATE_PARKED", "bodyKept": True}},
    ),
    ("ReplayWebhookEvents", {"replayedCount": "1"}),
    (
        "GetOverview",
        {
            "overview": {
                "providers": [
                    {"provider": "PROVIDER_PAYPAL", "recentBadSignatureCount": None},
                    {"provider": "PROVIDER_STRIPE", "recentBadSignatureCount": None},
                ]
            }
        },
    ),
    (
        "ListAnnouncements",
        {"announcements": [{"organizationId": "org-1"}] * 3},
    ),
    (
        "CompareSubscriptions",
        {"comparisons": [{"providerState": "SUBSCRIPTION_STATE_ACTIVE", "differs": None}]},
    ),
    ("ReportSubscription", {"storedRevision": "7"}),
]


@pytest.fixture
def stack_services() -> tuple[str, ...]:
    """An observer that the gateway does not tell by itself is among them."""
    return "wallet", "campaign", "billing_gateway"


def subscribe(providers: TwoProviders) -> None:
    """Let PayPal know the subscription of the examples since yesterday."""
    time = now() - timedelta(days=1)
    providers.paypal.account.books.subscriptions["I-1"] = Subscription(
        "I-1",
        PLAN,
        "12.50",
        "USD",
        *(time, time, time),
        status="ACTIVE",
        next_billing_time=time + timedelta(days=30),
    )


async def suspend(stack: Stack, providers: TwoProviders) -> None:
    """Let PayPal suspend it, and tell of it."""
    providers.paypal.account.suspend("I-1")
    [told] = providers.take_told()
    assert await providers.deliver(told) == 200
    await eventually(lambda: standing_of(stack), lambda it: not it.level.good_standing)
    # What happens in the same second cannot be told apart.
    providers.advance(timedelta(seconds=1))


async def pay_for_nobody(stack: Stack, providers: TwoProviders) -> None:
    """Let both providers tell the payments of the examples, which name no organization."""
    event = top_up_event(Customer(""), 2_500, now())
    event["id"] = "evt_1"
    event["data"]["object"]["payment_intent"] = "pi_1"
    assert await providers.post(Provider.STRIPE, to_body(event)) == 200
    await quiet(stack)
    account = providers.paypal.account
    order = account.create_order("10.00", "USD")
    account.approve_order(order.order_id)
    [capture_id] = account.capture_order(order.order_id).capture_ids
    *_, told = providers.take_told()
    body = told.event.body.replace(capture_id.encode(), CAPTURE.encode())
    assert await providers.post(Provider.PAYPAL, body) == 200
    await quiet(stack)


@every_way
async def test_every_example_is_answered_as_the_story_goes(
    stopped_stack: Stack, providers: TwoProviders, send: Send
) -> None:
    await stopped_stack.start("wallet", "campaign", "billing_gateway")
    subscribe(providers)
    await pay_for_nobody(stopped_stack, providers)
    story = [
        (rpc, example) for rpc in read_rpc_comments(BILLING_GATEWAY) for example in rpc.examples
    ]
    assert [rpc.name for rpc, _ in story] == [name for name, _ in ANSWERS]
    for (rpc, example), (_, expected) in zip(story, ANSWERS, strict=True):
        if rpc.name == "ReactivateSubscription":
            await suspend(stopped_stack, providers)
        await require_answer(send, stopped_stack.addresses, rpc, example, expected)
        if rpc.name == "LinkSubscription":
            await eventually(lambda: standing_of(stopped_stack), lambda it: it.level.good_standing)
    methods = {method.name for each in BILLING_GATEWAY for method in each.methods}
    assert {name for name, _ in ANSWERS} == methods
