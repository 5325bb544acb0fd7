"""How the gateway stands, counted, against a state that deliveries and its own rpcs have made."""

from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from libs.announcing.ports import Backlog
from libs.database import Database
from libs.gauging import Gauging
from libs.levels import SubscriptionState
from services.billing_gateway.domain.values import Provider
from services.billing_gateway.operations.gauging import GAUGES
from services.billing_gateway.operations.overview import Overview
from services.billing_gateway.storage.overview import count_all
from tests.integration.billing_gateway.requests import execute, reaches
from tests.integration.billing_gateway.subscriptions_told import at, is_
from tests.integration.billing_gateway.test_inbox import DEAD_BODY, top_up
from tests.support.fake_provider import SIGNED
from tests.support.stack import Stack
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_pb2,
    overview_pb2,
    provider_pb2,
    subscription_pb2,
    webhook_event_pb2,
)

STATE = webhook_event_pb2.WebhookEventState


async def overview(stack: Stack) -> overview_pb2.GatewayOverview:
    request = billing_gateway_service_pb2.GetOverviewRequest()
    return (await stack.gateway.GetOverview(request)).overview


def events(provider: overview_pb2.ProviderOverview) -> dict[str, tuple[int, str]]:
    """Return how many events there are of each state that there is, and which is the oldest."""
    return {
        STATE.Name(each.state).removeprefix("WEBHOOK_EVENT_STATE_"): (
            each.count,
            each.oldest_event_id,
        )
        for each in provider.events
        if each.count
    }


async def test_events_are_counted_by_provider_and_state(fake_stack: Stack) -> None:
    stack = fake_stack
    for provider in (await overview(stack)).providers:
        assert events(provider) == {}
        assert not provider.HasField("last_receive_time")
    for number in (1, 2):
        await stack.deliver_fake(Provider.STRIPE, f"evt_parked_{number}", top_up(str(number), ""))
    await stack.post_to(Provider.STRIPE, DEAD_BODY, SIGNED.items())
    for _ in range(3):
        assert await stack.post_to(Provider.STRIPE, b"{}", []) == 400
    await reaches(stack, PARKED=2, DEAD=1)

    paypal, stripe = (await overview(stack)).providers
    assert paypal.provider == provider_pb2.PROVIDER_PAYPAL
    assert events(paypal) == {}
    assert paypal.recent_bad_signature_count == 0
    assert events(stripe) == {"PARKED": (2, "evt_parked_1"), "DEAD": (1, "evt_dead")}
    assert stripe.recent_bad_signature_count == 3
    times = {each.state: each.oldest_receive_time.ToDatetime() for each in stripe.events}
    last = stripe.last_receive_time.ToDatetime()
    assert times[webhook_event_pb2.WEBHOOK_EVENT_STATE_PARKED] < last
    assert times[webhook_event_pb2.WEBHOOK_EVENT_STATE_DEAD] == last


async def test_subscriptions_and_what_observers_are_behind_with_are_counted(
    fake_stack: Stack,
) -> None:
    stack = fake_stack
    for name, state in (("I-1", SubscriptionState.ACTIVE), ("I-2", SubscriptionState.SUSPENDED)):
        observed = is_(state, at(1), subscription_id=name)
        await stack.deliver_fake(Provider.PAYPAL, f"WH-{name}", observed)
    await reaches(stack, DONE=2)

    async def pending() -> dict[str, tuple[str, int, bool]]:
        return {
            each.observer: (each.level, each.pending_count, each.HasField("oldest_time"))
            for each in (await overview(stack)).announcements
            if each.level == "subscription"
        }

    # The two of them do not run.
    behind = ("subscription", 1, True)
    await eventually(
        pending,
        lambda seen: (
            seen
            == {
                "wallet": ("subscription", 0, False),
                "campaign": behind,
                "telephony": behind,
            }
        ),
    )
    seen = await overview(stack)
    assert {each.level for each in seen.announcements} == {"subscription", "payment"}
    counts = {each.state: each.count for each in seen.subscriptions if each.count}
    assert counts == {
        subscription_pb2.SUBSCRIPTION_STATE_ACTIVE: 1,
        subscription_pb2.SUBSCRIPTION_STATE_SUSPENDED: 1,
    }


# A day ago, of Stripe's only.
AGED = "UPDATE webhook_events SET receive_time = receive_time - interval '1 day'"


async def test_what_is_counted_is_shown(fake_stack: Stack) -> None:
    stack = fake_stack
    await stack.deliver_fake(Provider.STRIPE, "evt_parked", top_up("parked", ""))
    await stack.deliver_fake(Provider.PAYPAL, "WH-1", is_(SubscriptionState.ACTIVE, at(1)))
    await reaches(stack, PARKED=1, DONE=1)
    await execute(stack.databases["billing_gateway"], AGED)
    url = SecretStr(stack.databases["billing_gateway"].url)
    database, registry = await Database.connect(url, 1, "test"), CollectorRegistry()

    async def read() -> Overview:
        counts = await database.read_snapshot(count_all)
        backlog = Backlog("payment", "wallet", 2, counts.time, "")
        return Overview(counts, [backlog], {Provider.STRIPE: 0}, long_transactions=None)

    await Gauging(read, GAUGES, registry).look()
    await database.close()
    parked = {"provider": "STRIPE", "state": "PARKED"}
    wallet = {"level": "payment", "observer": "wallet"}
    for name, labels, value in (
        ("webhook_events", parked, 1),
        ("webhook_events", {"provider": "PAYPAL", "state": "RECEIVED"}, 0),
        ("oldest_webhook_event_seconds", {"provider": "PAYPAL", "state": "DEAD"}, 0),
        ("subscriptions", {"state": "ACTIVE"}, 1),
        ("subscriptions", {"state": "UNSPECIFIED"}, 0),
        ("announcements_pending", wallet, 2),
        ("oldest_announcement_seconds", wallet, 0),
        # It is not set up.
        ("last_webhook_event_time_seconds", {"provider": "PAYPAL"}, None),
    ):
        assert registry.get_sample_value(f"tollgate_{name}", labels) == value, name
    age_seconds = registry.get_sample_value("tollgate_oldest_webhook_event_seconds", parked)
    assert age_seconds is not None
    assert 86_400 <= age_seconds < 86_500
    last = registry.get_sample_value(
        "tollgate_last_webhook_event_time_seconds", {"provider": "STRIPE"}
    )
    assert last is not None
    assert last > 0
