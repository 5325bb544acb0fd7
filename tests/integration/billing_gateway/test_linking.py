"""Whose a subscription is: LinkSubscription, and the events that waited for it."""

import asyncio

import asyncpg
import grpc

from dev.stripe_simulator import Customer, subscription_event, top_up_event
from tests.integration.billing_gateway.requests import (
    DONE,
    PARKED,
    RECEIVED,
    events_of,
    link,
    settled,
)
from tests.integration.billing_gateway.subscriptions_told import history_of
from tests.support.errors import refusal
from tests.support.sights import PERIOD_END, wallet_of
from tests.support.stack import Stack, now
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import billing_gateway_service_pb2, subscription_pb2

CUSTOMER = Customer("org-1")
STRANGER = Customer("", customer_id="cus_1", subscription_id="sub_1")
RACES = 60

LOCK_OBJECT = "SELECT pg_advisory_lock(hashtextextended($1, 0))"
WAITING_FOR_OBJECTS = """
SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()
"""


async def balance_reaches(stack: Stack, organization_id: str, balance_micros: int) -> None:
    await eventually(
        lambda: wallet_of(stack, organization_id), lambda it: it.balance_micros == balance_micros
    )


async def test_our_own_link_comes_before_what_an_event_claims(stack: Stack) -> None:
    await stack.gateway.LinkSubscription(link(CUSTOMER, "org-9"))
    await stack.deliver(top_up_event(CUSTOMER, 2_500, now()))
    await balance_reaches(stack, "org-9", 25_000_000)
    assert (await wallet_of(stack, "org-1")).organization_id == ""


async def test_an_event_and_its_link_at_once_never_miss_each_other(stack: Stack) -> None:
    strangers = [Customer("") for _ in range(RACES)]
    for number, stranger in enumerate(strangers):
        event = subscription_event(stranger, "updated", "active", now(), PERIOD_END)
        await asyncio.gather(
            stack.deliver(event),
            stack.gateway.LinkSubscription(link(stranger, f"org-{number}")),
        )
    await eventually(
        lambda: events_of(stack, state=DONE, page_size=500), lambda done: len(done) == RACES
    )


async def test_settling_and_linking_wait_for_each_other_over_the_same_object(
    stack: Stack,
) -> None:
    event = subscription_event(STRANGER, "updated", "active", now(), PERIOD_END)
    connection = await asyncpg.connect(stack.databases["billing_gateway"].superuser_url)

    async def waiting() -> int:
        return int(await connection.fetchval(WAITING_FOR_OBJECTS))

    async def states() -> list[tuple[int, bool]]:
        return [(each.state, each.last_error != "") for each in await events_of(stack)]

    try:
        await connection.execute(LOCK_OBJECT, f"STRIPE {STRANGER.subscription_id}")
        await stack.deliver(event)
        await eventually(states, lambda found: found == [(RECEIVED, True)])
        linking = asyncio.ensure_future(stack.gateway.LinkSubscription(link(STRANGER, "org-1")))
        await eventually(waiting, lambda count: count == 1)
        assert await states() == [(RECEIVED, True)]
    finally:
        await connection.close()
    await linking
    found = await eventually(lambda: settled(stack, event), lambda it: it.state == DONE)
    assert found.attempt_count == 1


async def test_a_checkout_of_a_subscription_settles_what_was_parked_for_it(stack: Stack) -> None:
    event = subscription_event(STRANGER, "created", "active", now(), PERIOD_END)
    await stack.deliver(event)
    assert (await settled(stack, event)).state == PARKED
    checkout = top_up_event(Customer("org-1", "cus_1", "sub_1"), 2_500, now())
    checkout["data"]["object"].update(mode="subscription", subscription="sub_1")

    await stack.deliver(checkout)

    found = await eventually(lambda: settled(stack, event), lambda it: it.state == DONE)
    assert found.organization_id == "org-1"
    assert (await wallet_of(stack, "org-1")).balance_micros == 0


async def test_a_link_is_idempotent_and_keeps_what_it_knows(stack: Stack) -> None:
    request = link(STRANGER, "org-1", "EUR")
    request.plan_id = "basic"
    first = await stack.gateway.LinkSubscription(request)
    again = await stack.gateway.LinkSubscription(link(STRANGER, "org-1"))
    assert again.subscription.plan_id == first.subscription.plan_id == "basic"
    assert again.subscription.state == subscription_pb2.SUBSCRIPTION_STATE_PENDING
    assert (await wallet_of(stack, "org-1")).currency_code == "EUR"

    other_customer = link(Customer("", "cus_2", "sub_1"), "org-1")
    assert (await refusal(stack.gateway.LinkSubscription(other_customer))).reason == (
        "REFERENCE_CONFLICT"
    )
    other_subscription = link(Customer("", "cus_1", "sub_2"), "org-2")
    assert (await refusal(stack.gateway.LinkSubscription(other_subscription))).reason == (
        "ALREADY_LINKED"
    )
    mismatch = link(STRANGER, "org-1", "USD")
    assert (await refusal(stack.gateway.LinkSubscription(mismatch))).reason == "CURRENCY_MISMATCH"


async def test_a_link_that_cannot_ask_the_wallet_changes_nothing(stack: Stack) -> None:
    await stack.stop("wallet")
    found = await refusal(stack.gateway.LinkSubscription(link(STRANGER, "org-1", "USD")))
    assert found.code is grpc.StatusCode.UNAVAILABLE
    assert found.reason == "SERVICE_UNAVAILABLE"
    assert found.metadata == {"service": "wallet"}
    standing = billing_gateway_service_pb2.GetSubscriptionRequest(organization_id="org-1")
    assert (await refusal(stack.gateway.GetSubscription(standing))).reason == (
        "SUBSCRIPTION_NOT_FOUND"
    )


async def test_a_link_stands_in_the_history_once(stack: Stack) -> None:
    for _ in range(2):
        await stack.gateway.LinkSubscription(link(STRANGER, "org-1"))
    [line] = await history_of(stack)
    assert (line["cause"], line["subscription_id"], line["to_state"]) == (
        "LINK",
        "sub_1",
        "PENDING",
    )
