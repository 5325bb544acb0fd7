"""From the inbox to payments, subscriptions and levels."""

import asyncio
import secrets
from datetime import timedelta

import asyncpg
import grpc
import pytest

from dev.stripe_simulator import (
    Customer,
    JsonObject,
    invoice_paid_event,
    subscription_event,
    top_up_event,
)
from tests.integration.billing_gateway.requests import (
    DEAD,
    DONE,
    PARKED,
    events_of,
    link,
    payment_of,
    settled,
)
from tests.support.databases import ServiceDatabases
from tests.support.errors import refusal
from tests.support.sights import PERIOD_END, wallet_of
from tests.support.stack import Stack, now
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_pb2,
    provider_pb2,
    subscription_pb2,
)
from tollgate.wallet.v1 import wallet_service_pb2

CUSTOMER = Customer("org-1")
STRANGER = Customer("", customer_id="cus_1", subscription_id="sub_1")


def told_again(event: JsonObject) -> JsonObject:
    """Return another event about the same object."""
    return {**event, "id": f"evt_{secrets.token_hex(8)}"}


async def balance_reaches(stack: Stack, organization_id: str, balance_micros: int) -> None:
    await eventually(
        lambda: wallet_of(stack, organization_id), lambda it: it.balance_micros == balance_micros
    )


async def test_two_events_of_one_payment_credit_once_and_both_are_kept(stack: Stack) -> None:
    first = top_up_event(CUSTOMER, 2_500, now())
    second = told_again(first)
    await asyncio.gather(stack.deliver(first), stack.deliver(second))
    assert {(await settled(stack, each)).state for each in (first, second)} == {DONE}
    await balance_reaches(stack, "org-1", 25_000_000)
    payment = await payment_of(stack, first)
    assert set(payment.event_ids) == {first["id"], second["id"]}
    assert payment.paid_micros == payment.credited_micros == 25_000_000


async def test_another_story_about_a_payment_is_dead_and_changes_nothing(stack: Stack) -> None:
    first = top_up_event(CUSTOMER, 2_500, now())
    await stack.deliver(first)
    await settled(stack, first)
    other = told_again(first)
    other["data"] = {"object": {**first["data"]["object"], "amount_total": 9_900}}
    await stack.deliver(other)
    found = await settled(stack, other)
    assert found.state == DEAD
    assert "REFERENCE_CONFLICT" in found.last_error
    assert (await payment_of(stack, first)).credited_micros == 25_000_000
    payment_intent = first["data"]["object"]["payment_intent"]
    assert len(await events_of(stack, provider_object_id=payment_intent)) == 2


async def test_a_payment_claimed_by_another_organization_too_is_dead_and_stops_nobody(
    stack: Stack,
) -> None:
    first = top_up_event(CUSTOMER, 2_500, now())
    await stack.deliver(first)
    await settled(stack, first)
    other = told_again(first)
    other["data"] = {
        "object": {
            **first["data"]["object"],
            "customer": "cus_other",
            "client_reference_id": "org-2",
            "metadata": {"organization_id": "org-2"},
        }
    }
    await stack.deliver(other)
    assert (await settled(stack, other)).state == DEAD
    assert (await payment_of(stack, first)).organization_id == "org-1"
    await balance_reaches(stack, "org-1", 25_000_000)
    await stack.deliver(top_up_event(CUSTOMER, 100, now()))
    await balance_reaches(stack, "org-1", 26_000_000)


async def test_a_customer_of_two_organizations_is_credited_as_each_event_says_in_any_order(
    stack: Stack,
) -> None:
    for order in (("a", "b"), ("b", "a")):
        customer_id = f"cus_{'_'.join(order)}"
        names = [f"org-{each}-{'-'.join(order)}" for each in order]
        for name in names:
            customer = Customer(name, customer_id)
            for event in (
                subscription_event(customer, "updated", "active", now(), PERIOD_END),
                invoice_paid_event(customer, 1_000, now()),
            ):
                await stack.deliver(event)
                assert (await settled(stack, event)).organization_id == name
        for name in names:
            await balance_reaches(stack, name, 10_000_000)
        stolen = link(Customer("", customer_id), "org-thief")
        assert (await refusal(stack.gateway.LinkSubscription(stolen))).reason == "ALREADY_LINKED"


async def test_an_organization_that_is_held_up_does_not_hold_up_others(stack: Stack) -> None:
    held = Customer("org-held")
    first = top_up_event(held, 2_500, now())
    await stack.deliver(first)
    await settled(stack, first)
    blocked = [top_up_event(held, 2_500, now()) for _ in range(8)]
    connection = await asyncpg.connect(stack.databases["billing_gateway"].superuser_url)
    try:
        async with connection.transaction():
            await connection.execute(
                "SELECT FROM organizations WHERE organization_id = 'org-held' FOR UPDATE"
            )
            for event in blocked:
                await stack.deliver(event)
            await stack.deliver(top_up_event(CUSTOMER, 2_500, now()))
            await balance_reaches(stack, "org-1", 25_000_000)
    finally:
        await connection.close()
    await balance_reaches(stack, "org-held", 9 * 25_000_000)
    for event in blocked:
        assert (await settled(stack, event)).state == DONE


async def test_a_database_that_turns_read_only_is_answered_503_and_got_over(
    stack: Stack, databases: ServiceDatabases
) -> None:
    database = stack.databases["billing_gateway"]
    event = top_up_event(CUSTOMER, 2_500, now())
    for read_only, answer in (("on", 503), ("off", 200)):
        connection = await asyncpg.connect(
            database.superuser_url, server_settings={"default_transaction_read_only": "off"}
        )
        await connection.execute(
            f"ALTER DATABASE {database.name} SET default_transaction_read_only = {read_only}"
        )
        await connection.close()
        await databases.kill_connections(database)
        assert await stack.deliver(event) == answer
    await balance_reaches(stack, "org-1", 25_000_000)


async def test_a_migration_under_way_stops_nobody(stack: Stack) -> None:
    await stack.deliver(top_up_event(CUSTOMER, 2_500, now()))
    await balance_reaches(stack, "org-1", 25_000_000)
    for service, table in (("billing_gateway", "webhook_events"), ("wallet", "wallets")):
        connection = await asyncpg.connect(stack.databases[service].superuser_url)
        await connection.execute(f"ALTER TABLE {table} ADD COLUMN of_a_later_version text")
        await connection.close()
    await stack.deliver(top_up_event(CUSTOMER, 100, now()))
    await balance_reaches(stack, "org-1", 26_000_000)


async def test_what_an_event_claims_counts_only_where_a_setting_says_so(
    stopped_stack: Stack,
) -> None:
    stopped_stack.gateway_settings = {"trust_claimed_organizations": False}
    await stopped_stack.start("wallet", "billing_gateway")
    told = [
        top_up_event(CUSTOMER, 2_500, now()),
        subscription_event(CUSTOMER, "updated", "active", now(), PERIOD_END),
        invoice_paid_event(CUSTOMER, 2_000, now()),
    ]
    for event in told:
        await stopped_stack.deliver(event)
        assert (await settled(stopped_stack, event)).state == PARKED

    await stopped_stack.gateway.LinkSubscription(link(CUSTOMER, "org-9"))

    await balance_reaches(stopped_stack, "org-9", 45_000_000)
    assert (await wallet_of(stopped_stack, "org-1")).organization_id == ""


async def test_a_redelivery_settles_what_was_parked_or_dead_and_nothing_twice(
    stopped_stack: Stack,
) -> None:
    parked = top_up_event(CUSTOMER, 2_500, now())
    dead = top_up_event(CUSTOMER, 100, now())
    stopped_stack.gateway_settings = {
        "trust_claimed_organizations": False,
        "stripe_livemode": True,
    }
    await stopped_stack.start("wallet", "billing_gateway")
    parked["livemode"] = True
    for event, state in ((parked, PARKED), (dead, DEAD)):
        await stopped_stack.deliver(event)
        found = await settled(stopped_stack, event)
        assert found.state == state
    await stopped_stack.stop("billing_gateway")
    stopped_stack.gateway_settings = {"stripe_livemode": False}
    await stopped_stack.start("billing_gateway")

    for _ in range(3):
        assert await stopped_stack.deliver(dead) == 200
        await eventually(lambda: settled(stopped_stack, dead), lambda it: it.state == DONE)

    await balance_reaches(stopped_stack, "org-1", 1_000_000)


async def test_plans_decide_what_an_invoice_credits(stopped_stack: Stack) -> None:
    stopped_stack.gateway_settings = {
        "plan_credits": {
            "pro": {"allowance_micros": 50_000_000, "currency_code": "USD"},
            "free": "nothing",
            "basic": "amount_paid",
        }
    }
    await stopped_stack.start("wallet", "billing_gateway")
    credited = {}
    for plan in ("pro", "free", "basic", "unlisted"):
        event = invoice_paid_event(Customer(f"org-{plan}", price_id=plan), 2_000, now())
        await stopped_stack.deliver(event)
        await settled(stopped_stack, event)
        credited[plan] = (await payment_of(stopped_stack, event)).credited_micros
    assert credited == {
        "pro": 50_000_000,
        "free": 0,
        "basic": 20_000_000,
        "unlisted": 20_000_000,
    }


async def test_a_periods_allowance_is_credited_once_however_many_invoices_it_has(
    stopped_stack: Stack,
) -> None:
    plan = {"allowance_micros": 50_000_000, "currency_code": "USD"}
    stopped_stack.gateway_settings = {"plan_credits": {"pro": plan}}
    await stopped_stack.start("wallet", "billing_gateway")
    customer = Customer("org-1", price_id="pro")
    first_period, second_period = now() - timedelta(days=30), now()
    invoices = [
        *(invoice_paid_event(customer, 2_000, now(), period_start=first_period) for _ in range(4)),
        invoice_paid_event(customer, 2_000, now(), period_start=second_period),
        invoice_paid_event(customer, 900, now(), billing_reason="subscription_update"),
    ]
    await asyncio.gather(*(stopped_stack.deliver(each) for each in invoices))
    assert {(await settled(stopped_stack, each)).state for each in invoices} == {DONE}
    await balance_reaches(stopped_stack, "org-1", 100_000_000)


async def test_a_payment_tells_how_far_the_wallet_has_taken_it(stack: Stack) -> None:
    await stack.stop("wallet")
    event = top_up_event(CUSTOMER, 2_500, now())
    await stack.deliver(event)
    await settled(stack, event)
    waiting = await eventually(lambda: payment_of(stack, event), lambda it: it.last_error != "")
    assert waiting.acknowledged_revision == 0
    assert "SERVICE_UNAVAILABLE" in waiting.last_error

    await stack.start("wallet")

    taken = await eventually(
        lambda: payment_of(stack, event), lambda it: it.acknowledged_revision == it.revision
    )
    assert taken.last_error == ""


async def test_the_organizations_standing_is_that_of_its_best_subscription(stack: Stack) -> None:
    other = Customer("org-1")
    for event in (
        subscription_event(CUSTOMER, "deleted", "canceled", now(), PERIOD_END),
        subscription_event(other, "updated", "active", now(), PERIOD_END),
    ):
        await stack.deliver(event)
        await settled(stack, event)

    answer = await stack.gateway.GetSubscription(
        billing_gateway_service_pb2.GetSubscriptionRequest(organization_id="org-1")
    )

    assert answer.level.good_standing
    assert answer.level.state == subscription_pb2.SUBSCRIPTION_STATE_ACTIVE
    assert answer.deciding_subscription.provider_subscription_id == other.subscription_id
    standings = {each.provider_subscription_id: each.good_standing for each in answer.subscriptions}
    assert standings == {CUSTOMER.subscription_id: False, other.subscription_id: True}


async def test_events_are_listed_newest_first_in_pages_and_by_every_filter(stack: Stack) -> None:
    told = [top_up_event(Customer(f"org-{number}"), 2_500, now()) for number in range(5)]
    for event in told:
        await stack.deliver(event)
        await settled(stack, event)
    request = billing_gateway_service_pb2.ListWebhookEventsRequest(page_size=3)
    first = await stack.gateway.ListWebhookEvents(request)
    request.page_token = first.next_page_token
    second = await stack.gateway.ListWebhookEvents(request)
    assert [each.event_id for each in (*first.events, *second.events)] == [
        each["id"] for each in reversed(told)
    ]
    assert second.next_page_token == ""
    middle = first.events[2].receive_time
    payment_intent = told[0]["data"]["object"]["payment_intent"]
    counts = {
        "provider": len(await events_of(stack, provider=provider_pb2.PROVIDER_PAYPAL)),
        "state": len(await events_of(stack, state=DONE)),
        "type": len(await events_of(stack, event_type="invoice.paid")),
        "organization": len(await events_of(stack, organization_id="org-3")),
        "object": len(await events_of(stack, provider_object_id=payment_intent)),
        "after": len(await events_of(stack, received_after=middle)),
        "before": len(await events_of(stack, received_before=middle)),
    }
    assert counts == {
        "provider": 0,
        "state": 5,
        "type": 0,
        "organization": 1,
        "object": 1,
        "after": 3,
        "before": 2,
    }


@pytest.mark.parametrize("token", ["made up", "WzFd", "WzksICJhIiwgImIiXQ=="])
async def test_a_made_up_page_token_is_refused_or_harmless(stack: Stack, token: str) -> None:
    request = billing_gateway_service_pb2.ListWebhookEventsRequest(page_token=token)
    try:
        answer = await stack.gateway.ListWebhookEvents(request)
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT  # noqa: PT017 - or harmless
    else:
        assert not answer.events


async def test_what_nobody_has_told_of_is_not_found(stack: Stack) -> None:
    provider = provider_pb2.PROVIDER_STRIPE
    payment = billing_gateway_service_pb2.GetPaymentRequest(
        provider=provider, payment_id="stripe:pi_0"
    )
    event = billing_gateway_service_pb2.GetWebhookEventRequest(provider=provider, event_id="evt_0")
    wallet = wallet_service_pb2.GetWalletRequest(organization_id="org-0")
    assert [
        (await refusal(stack.gateway.GetPayment(payment))).reason,
        (await refusal(stack.gateway.GetWebhookEvent(event))).reason,
        (await refusal(stack.wallet.GetWallet(wallet))).reason,
    ] == ["PAYMENT_NOT_FOUND", "EVENT_NOT_FOUND", "WALLET_NOT_FOUND"]
