"""Whatever was down, when it is back everything stands where it must, without a hand."""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta

import asyncpg
import pytest

from dev.stripe_simulator import Customer, JsonObject, invoice_paid_event, subscription_event
from tests.support.databases import ServiceDatabases
from tests.support.searching import times
from tests.support.sights import (
    CUT_OFF,
    ORGANIZATION,
    PERIOD_END,
    SENDING,
    SIDS,
    let_send,
    look,
    reach,
    subscription_is,
    wallet_of,
)
from tests.support.stack import Stack, now
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_pb2,
    subscription_pb2,
    webhook_event_pb2,
)

CUSTOMER = Customer(ORGANIZATION)
STORIES = times(50)


async def pending_announcements(stack: Stack, service: str) -> int:
    """Count the levels of a service that an observer has not acknowledged."""
    connection = await asyncpg.connect(stack.databases[service].url)
    try:
        return int(
            await connection.fetchval(
                "SELECT count(*) FROM announcements WHERE acknowledged_revision < revision"
            )
        )
    finally:
        await connection.close()


async def test_bad_news_cuts_off_everywhere_and_good_news_lets_through_again(
    stack: Stack,
) -> None:
    await let_send(stack, CUSTOMER)
    await subscription_is(stack, CUSTOMER, "past_due")
    await reach(stack, CUT_OFF)
    assert {stack.twilio.status(sid).value for sid in SIDS} == {"suspended"}
    await subscription_is(stack, CUSTOMER, "active")
    await reach(stack, SENDING)
    assert {stack.twilio.status(sid).value for sid in SIDS} == {"active"}


@pytest.mark.parametrize("down", ["campaign", "telephony", "wallet"])
async def test_a_service_that_was_down_catches_up(stack: Stack, down: str) -> None:
    await let_send(stack, CUSTOMER)
    await stack.stop(down)
    await subscription_is(stack, CUSTOMER, "past_due")
    await eventually(lambda: pending_announcements(stack, "billing_gateway"), lambda it: it == 1)
    await stack.start(down)
    await reach(stack, CUT_OFF)
    for announcer in ("billing_gateway", "wallet"):
        await eventually(lambda: pending_announcements(stack, announcer), lambda it: it == 0)  # noqa: B023 - awaited at once


async def test_killed_database_connections_lose_nothing(
    stack: Stack, databases: ServiceDatabases
) -> None:
    await let_send(stack, CUSTOMER)
    for name, status, wanted in (
        ("billing_gateway", "past_due", CUT_OFF),
        ("wallet", "active", SENDING),
        ("campaign", "past_due", CUT_OFF),
        ("telephony", "active", SENDING),
    ):
        created = stack.next_second()
        event = subscription_event(CUSTOMER, "updated", status, created, PERIOD_END)
        _, answer = await asyncio.gather(
            databases.kill_connections(stack.databases[name]), stack.deliver(event)
        )
        assert answer in (200, 503)
        if answer == 503:
            assert await stack.deliver(event) == 200
        await databases.kill_connections(stack.databases[name])
        await reach(stack, wanted)


async def test_an_outage_of_everything_but_the_gateway_delays_nothing_but_the_effect(
    stack: Stack,
) -> None:
    await let_send(stack, CUSTOMER)
    await stack.stop("wallet", "campaign", "telephony")
    for status in ("past_due", "active", "unpaid", "active", "past_due"):
        await subscription_is(stack, CUSTOMER, status)
    await stack.start("telephony", "wallet", "campaign")
    await reach(stack, CUT_OFF)


async def test_with_the_gateway_stopped_good_news_expires_everywhere(stack: Stack) -> None:
    await stack.stop("billing_gateway")
    stack.gateway_settings = {"period_slack_seconds": 0.0}
    await stack.start("billing_gateway")
    period_end = now() + timedelta(seconds=8)
    await let_send(stack, CUSTOMER, period_end)
    await stack.stop("billing_gateway")

    # The level that is held still says good; nobody tells anything any more.
    assert (await look(stack)).can_send
    await reach(stack, CUT_OFF)
    assert now() >= period_end
    assert {stack.twilio.status(sid).value for sid in SIDS} == {"suspended"}


def story_of(customer: Customer, stack: Stack) -> list[JsonObject]:
    """Twenty events of one subscription; at its end it is past due again."""
    states = ["incomplete", "active", "past_due", "active", "past_due", "unpaid"] * 2
    told = [("created", "incomplete"), *(("updated", state) for state in states)]
    events = [
        subscription_event(customer, kind, state, stack.next_second(), PERIOD_END)
        for kind, state in told
    ]
    invoices = [
        invoice_paid_event(customer, 100 * number, stack.next_second()) for number in range(1, 7)
    ]
    last = subscription_event(customer, "updated", "past_due", stack.next_second(), PERIOD_END)
    return [*events, *invoices, last]


async def test_twenty_events_of_one_subscription_end_the_same_in_fifty_random_orders(
    stack: Stack,
) -> None:
    customers = [Customer(f"org-{number}") for number in range(STORIES)]
    for number, customer in enumerate(customers):
        events = story_of(customer, stack)
        assert len(events) == 20
        random.Random(number).shuffle(events)
        assert await asyncio.gather(*(stack.deliver(event) for event in events)) == [200] * 20
    await eventually(lambda: unsettled_events(stack), lambda left: left == 0, 40.0)
    wanted = ("PAST_DUE", False, 21_000_000, True)
    for customer in customers:
        await eventually(
            lambda: end_of(stack, customer),  # noqa: B023 - awaited at once
            lambda end: end == wanted,
        )


async def unsettled_events(stack: Stack) -> int:
    request = billing_gateway_service_pb2.ListWebhookEventsRequest(
        state=webhook_event_pb2.WEBHOOK_EVENT_STATE_RECEIVED
    )
    return len((await stack.gateway.ListWebhookEvents(request)).events)


async def end_of(stack: Stack, customer: Customer) -> Sequence[object]:
    """Return state, standing, balance and freeze of an organization."""
    request = billing_gateway_service_pb2.GetSubscriptionRequest(
        organization_id=customer.organization_id
    )
    level = (await stack.gateway.GetSubscription(request)).level
    state = subscription_pb2.SubscriptionState.Name(level.state)
    wallet = await wallet_of(stack, customer.organization_id)
    short = state.removeprefix("SUBSCRIPTION_STATE_")
    return short, level.good_standing, wallet.balance_micros, wallet.frozen
