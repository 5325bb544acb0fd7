"""Cancel, Reactivate and Sync: the provider is asked, and then believed."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from libs.levels import SubscriptionState
from services.billing_gateway.domain.values import Provider
from services.billing_gateway.ports import ProviderRefusedError
from tests.integration.billing_gateway.requests import DONE
from tests.integration.billing_gateway.subscriptions_told import (
    PERIOD_END,
    at,
    history_of,
    is_,
    query,
    tell,
)
from tests.support.errors import refusal
from tests.support.fake_provider import Call, FakeProvider
from tests.support.stack import Stack, now
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_subscriptions_pb2,
    provider_pb2,
    subscription_pb2,
)

PENDING, TRIALING, ACTIVE, PAST_DUE, SUSPENDED, CANCELED = SubscriptionState
ANN = {"note": "moves away", "actor": "ann"}


@pytest.fixture
def stack_services() -> tuple[str, ...]:
    """Who is told of the level is another matter."""
    return ("billing_gateway",)


async def cancel(stack: Stack, **wanted: Any) -> subscription_pb2.Subscription:
    request = billing_gateway_service_subscriptions_pb2.CancelSubscriptionRequest(
        **{"organization_id": "org-1", **ANN, **wanted}
    )
    return (await stack.gateway.CancelSubscription(request)).subscription


async def reactivate(stack: Stack, **wanted: Any) -> subscription_pb2.Subscription:
    request = billing_gateway_service_subscriptions_pb2.ReactivateSubscriptionRequest(
        **{"organization_id": "org-1", **ANN, **wanted}
    )
    return (await stack.gateway.ReactivateSubscription(request)).subscription


async def sync(stack: Stack, **wanted: Any) -> list[subscription_pb2.Subscription]:
    request = billing_gateway_service_subscriptions_pb2.SyncSubscriptionRequest(
        **{"organization_id": "org-1", **wanted}
    )
    return list((await stack.gateway.SyncSubscription(request)).subscriptions)


def answers(
    paypal: FakeProvider,
    state: SubscriptionState,
    subscription_id: str = "I-1",
    since: datetime | None = None,
) -> None:
    """Let PayPal say that the subscription is in a state, since this moment if none is given."""
    told = is_(state, since or now(), confirmed=True, subscription_id=subscription_id)
    paypal.answer(subscription_id, told, provider_time=now())


def state_of(subscription: subscription_pb2.Subscription) -> str:
    name = subscription_pb2.SubscriptionState.Name(subscription.state)
    return name.removeprefix("SUBSCRIPTION_STATE_")


async def lines_of(stack: Stack) -> list[tuple[str, str | None, str, str]]:
    """Return cause, states and actor of the history, without what events told."""
    return [
        (each["cause"], each["from_state"], each["to_state"], each["actor"])
        for each in await history_of(stack)
        if each["cause"] != "EVENT"
    ]


@pytest.mark.parametrize("state", [PENDING, TRIALING, ACTIVE, PAST_DUE, SUSPENDED])
async def test_a_subscription_is_canceled_at_the_provider_and_seen_canceled(
    fake_stack: Stack, paypal: FakeProvider, state: SubscriptionState
) -> None:
    await tell(fake_stack, "WH-1", is_(state, at(1)))
    answers(paypal, CANCELED)

    assert state_of(await cancel(fake_stack)) == "CANCELED"

    assert Call("cancel_subscription", "I-1", "now") in paypal.calls
    assert await lines_of(fake_stack) == [
        ("CANCEL", state, state, "ann"),
        ("CANCEL", state, "CANCELED", "ann"),
    ]
    assert {each["note"] for each in (await history_of(fake_stack))[1:]} == {"moves away"}
    # Idempotent, named or not, and by now without a question to the provider.
    asked = len(paypal.calls)
    assert state_of(await cancel(fake_stack)) == "CANCELED"
    assert state_of(await cancel(fake_stack, provider_subscription_id="I-1")) == "CANCELED"
    assert len(paypal.calls) == asked


async def test_a_refused_cancel_counts_only_if_it_has_not_ended_already(
    fake_stack: Stack, paypal: FakeProvider
) -> None:
    await tell(fake_stack, "WH-1", is_(ACTIVE, at(1)))
    paypal.refusals["cancel_subscription"] = ProviderRefusedError("invalid status")
    answers(paypal, ACTIVE)
    found = await refusal(cancel(fake_stack))
    assert found.reason == "INVALID_STATE"
    answers(paypal, CANCELED)
    assert state_of(await cancel(fake_stack)) == "CANCELED"


async def test_a_provider_that_is_away_is_told_and_the_command_may_be_repeated(
    fake_stack: Stack, paypal: FakeProvider
) -> None:
    await tell(fake_stack, "WH-1", is_(SUSPENDED, at(1)))
    paypal.unavailable = True
    for command in (cancel, reactivate, sync):
        assert (await refusal(command(fake_stack))).reason == "PROVIDER_UNAVAILABLE"
    # It was done, and the answer is lost: a look follows by itself.
    paypal.unavailable = False
    paypal.lost_answers = 1
    answers(paypal, CANCELED)
    assert (await refusal(cancel(fake_stack))).reason == "PROVIDER_UNAVAILABLE"
    [row] = await query(
        fake_stack, "SELECT extract(epoch FROM look_due_time - now()) AS wait FROM subscriptions"
    )
    assert row["wait"] <= 60
    assert state_of(await cancel(fake_stack)) == "CANCELED"


async def test_what_the_provider_ends_later_it_is_asked_for_now(
    fake_stack: Stack, stripe: FakeProvider
) -> None:
    told = is_(ACTIVE, at(1), subscription_id="sub_1")
    await fake_stack.deliver_fake(Provider.STRIPE, "evt_1", told)
    ending = is_(ACTIVE, now(), subscription_id="sub_1", confirmed=True, cancel_at_period_end=True)
    stripe.answer("sub_1", ending, provider_time=now())

    async def canceled() -> subscription_pb2.Subscription | None:
        try:
            return await cancel(fake_stack, at_period_end=True)
        except Exception:  # noqa: BLE001 - the event is not settled yet
            return None

    subscription = await eventually(canceled, lambda it: it is not None)
    assert subscription is not None
    assert (state_of(subscription), subscription.cancel_at_period_end) == ("ACTIVE", True)
    assert Call("cancel_subscription", "sub_1", "at_period_end") in stripe.calls
    await cancel(fake_stack, at_period_end=True)
    assert stripe.count("cancel_subscription") == 1


async def test_what_the_provider_cannot_end_later_the_gateway_ends_in_time(
    fake_stack: Stack, paypal: FakeProvider
) -> None:
    await tell(fake_stack, "WH-1", is_(ACTIVE, at(1)))
    subscription = await cancel(fake_stack, at_period_end=True)
    assert (state_of(subscription), subscription.cancel_at_period_end) == ("ACTIVE", True)
    assert subscription.good_standing
    assert paypal.count("cancel_subscription") == 0
    due = "SELECT cancel_due_time, cancel_actor, cancel_note FROM subscriptions"
    [row] = await query(fake_stack, due)
    assert 0 < (PERIOD_END - row["cancel_due_time"]).total_seconds() <= 3600
    assert (row["cancel_actor"], row["cancel_note"]) == ("ann", "moves away")
    await cancel(fake_stack, at_period_end=True)
    assert await lines_of(fake_stack) == [("CANCEL", "ACTIVE", "ACTIVE", "ann")]
    answers(paypal, CANCELED)

    # The time comes.
    await query(fake_stack, "UPDATE subscriptions SET cancel_due_time = now()")

    await eventually(
        lambda: query(fake_stack, due), lambda rows: rows[0]["cancel_due_time"] is None
    )
    assert paypal.count("cancel_subscription") == 1
    [found] = await sync(fake_stack, provider_subscription_id="I-1")
    assert state_of(found) == "CANCELED"


async def test_a_cancel_with_the_period_ends_at_once_what_has_no_period(
    fake_stack: Stack, paypal: FakeProvider
) -> None:
    await tell(fake_stack, "WH-1", is_(PENDING, at(1), period_end=None))
    answers(paypal, CANCELED)
    assert state_of(await cancel(fake_stack, at_period_end=True)) == "CANCELED"
    assert Call("cancel_subscription", "I-1", "now") in paypal.calls


async def test_only_what_is_suspended_is_reactivated(
    fake_stack: Stack, paypal: FakeProvider
) -> None:
    await tell(fake_stack, "WH-1", is_(PENDING, at(1)))
    assert (await refusal(reactivate(fake_stack))).metadata == {"state": "PENDING"}
    await tell(fake_stack, "WH-2", is_(PAST_DUE, at(2)))
    assert (await refusal(reactivate(fake_stack))).reason == "INVALID_STATE"
    await tell(fake_stack, "WH-3", is_(ACTIVE, at(3)))
    assert state_of(await reactivate(fake_stack)) == "ACTIVE"
    assert paypal.count("reactivate_subscription") == 0

    await tell(fake_stack, "WH-4", is_(SUSPENDED, at(4)))
    answers(paypal, ACTIVE)
    assert state_of(await reactivate(fake_stack)) == "ACTIVE"
    assert paypal.count("reactivate_subscription") == 1
    assert await lines_of(fake_stack) == [
        ("REACTIVATE", "SUSPENDED", "SUSPENDED", "ann"),
        ("REACTIVATE", "SUSPENDED", "ACTIVE", "ann"),
    ]

    await tell(fake_stack, "WH-5", is_(CANCELED, now()))
    found = await refusal(reactivate(fake_stack))
    assert (found.reason, found.metadata) == ("INVALID_STATE", {"state": "CANCELED"})


async def test_a_refused_reactivation_says_why(fake_stack: Stack, paypal: FakeProvider) -> None:
    await tell(fake_stack, "WH-1", is_(SUSPENDED, at(1)))
    answers(paypal, SUSPENDED, since=at(1))
    paypal.refusals["reactivate_subscription"] = ProviderRefusedError("its invoice must be paid")
    found = await refusal(reactivate(fake_stack))
    assert found.reason == "INVALID_STATE"
    answers(paypal, ACTIVE)
    assert state_of(await reactivate(fake_stack)) == "ACTIVE"


async def test_one_of_several_has_to_be_named(fake_stack: Stack, paypal: FakeProvider) -> None:
    for number in (1, 2, 3):
        told = is_(SUSPENDED, at(number), subscription_id=f"I-{number}")
        await tell(fake_stack, f"WH-{number}", told)
    for command in (cancel, reactivate):
        found = await refusal(command(fake_stack))
        assert (found.reason, found.fields) == ("INVALID_ARGUMENT", ["provider_subscription_id"])
    for number in (2, 3):
        answers(paypal, CANCELED, f"I-{number}")
        await cancel(fake_stack, provider_subscription_id=f"I-{number}")
    # The only one that runs need not be.
    answers(paypal, ACTIVE)
    assert (await reactivate(fake_stack)).provider_subscription_id == "I-1"


async def test_only_the_organizations_own_are_found(
    fake_stack: Stack, paypal: FakeProvider
) -> None:
    await tell(fake_stack, "WH-1", is_(ACTIVE, at(1)))
    for command in (cancel, reactivate, sync):
        for wanted in (
            {"organization_id": "org-2"},
            {"organization_id": "org-2", "provider_subscription_id": "I-1"},
            {"provider_subscription_id": "I-2"},
        ):
            assert (await refusal(command(fake_stack, **wanted))).reason == "SUBSCRIPTION_NOT_FOUND"
    assert paypal.calls == []


async def test_a_sync_believes_the_provider(fake_stack: Stack, paypal: FakeProvider) -> None:
    for number in (1, 2):
        await tell(fake_stack, f"WH-{number}", is_(ACTIVE, at(1), subscription_id=f"I-{number}"))
        answers(paypal, SUSPENDED, f"I-{number}")
    [one] = await sync(fake_stack, provider_subscription_id="I-2")
    assert (one.provider_subscription_id, state_of(one)) == ("I-2", "SUSPENDED")
    assert paypal.count("fetch_subscription") == 1
    assert [state_of(each) for each in await sync(fake_stack)] == ["SUSPENDED", "SUSPENDED"]
    assert [line[:3] for line in await lines_of(fake_stack)] == [
        ("SYNC", "ACTIVE", "SUSPENDED"),
        ("SYNC", "ACTIVE", "SUSPENDED"),
    ]
    answers(paypal, CANCELED)
    await sync(fake_stack)
    # What has ended is not asked about, unless it is named.
    paypal.calls.clear()
    await sync(fake_stack)
    assert [call.subject for call in paypal.calls] == ["I-2"]
    assert [state_of(each) for each in await sync(fake_stack, provider_subscription_id="I-1")] == [
        "CANCELED"
    ]
    del paypal.answers["I-2"]
    assert (await refusal(sync(fake_stack))).reason == "INVALID_STATE"


async def test_without_credentials_nothing_can_be_commanded(
    fake_stack: Stack, paypal: FakeProvider
) -> None:
    await tell(fake_stack, "WH-1", is_(SUSPENDED, at(1)))
    paypal.can_be_asked = False
    for command in (cancel, reactivate, sync):
        assert (await refusal(command(fake_stack))).reason == "INVALID_STATE"
    assert paypal.calls == []
    assert await lines_of(fake_stack) == []


async def test_commands_and_events_at_once_do_not_get_in_each_others_way(
    fake_stack: Stack, paypal: FakeProvider
) -> None:
    await tell(fake_stack, "WH-0", is_(ACTIVE, at(1)))
    answers(paypal, ACTIVE)
    told = [
        fake_stack.deliver_fake(Provider.PAYPAL, f"WH-{number}", is_(ACTIVE, at(number)))
        for number in range(2, 12)
    ]
    await asyncio.gather(*(sync(fake_stack) for _ in range(10)), *told)
    for number in range(2, 12):
        event = await tell(fake_stack, f"WH-{number}", is_(ACTIVE, at(number)))
        assert event.state == DONE
    assert (await sync(fake_stack))[0].provider == provider_pb2.PROVIDER_PAYPAL
