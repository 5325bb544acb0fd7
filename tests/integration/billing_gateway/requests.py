"""Questions and commands to the gateway, with what a test does not care for filled in."""

from typing import Any

import asyncpg

from dev.stripe_simulator import Customer, JsonObject
from tests.support.databases import ServiceDatabase
from tests.support.stack import Stack
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_pb2,
    payment_pb2,
    provider_pb2,
    webhook_event_pb2,
)

RECEIVED = webhook_event_pb2.WEBHOOK_EVENT_STATE_RECEIVED
DONE = webhook_event_pb2.WEBHOOK_EVENT_STATE_DONE
IGNORED = webhook_event_pb2.WEBHOOK_EVENT_STATE_IGNORED
PARKED = webhook_event_pb2.WEBHOOK_EVENT_STATE_PARKED
DEAD = webhook_event_pb2.WEBHOOK_EVENT_STATE_DEAD


async def events_of(stack: Stack, **wanted: Any) -> list[webhook_event_pb2.WebhookEvent]:
    """Return events, newest first."""
    request = billing_gateway_service_pb2.ListWebhookEventsRequest(**wanted)
    return list((await stack.gateway.ListWebhookEvents(request)).events)


async def settled(stack: Stack, event: JsonObject) -> webhook_event_pb2.WebhookEvent:
    """Wait until an event is settled and return what came of it."""

    async def look() -> webhook_event_pb2.WebhookEvent:
        request = billing_gateway_service_pb2.GetWebhookEventRequest(
            provider=provider_pb2.PROVIDER_STRIPE, event_id=event["id"]
        )
        return (await stack.gateway.GetWebhookEvent(request)).event

    return await eventually(look, lambda it: it.state != RECEIVED)


def link(
    customer: Customer, organization_id: str, currency_code: str = ""
) -> billing_gateway_service_pb2.LinkSubscriptionRequest:
    """Say whose a customer and their subscription are."""
    return billing_gateway_service_pb2.LinkSubscriptionRequest(
        organization_id=organization_id,
        provider=provider_pb2.PROVIDER_STRIPE,
        provider_subscription_id=customer.subscription_id,
        provider_customer_id=customer.customer_id,
        currency_code=currency_code,
    )


async def payment_of(stack: Stack, event: JsonObject) -> payment_pb2.Payment:
    """Return the payment that an event tells of."""
    paid = event["data"]["object"]
    provider_id = paid["id"] if paid["object"] == "invoice" else paid["payment_intent"]
    request = billing_gateway_service_pb2.GetPaymentRequest(
        provider=provider_pb2.PROVIDER_STRIPE, payment_id=f"stripe:{provider_id}"
    )
    return (await stack.gateway.GetPayment(request)).payment


async def reaches(stack: Stack, **counts: int) -> None:
    """Wait until so many events are in these states, and none in another."""

    async def count() -> dict[str, int]:
        found: dict[str, int] = {}
        for event in await events_of(stack, page_size=500):
            name = webhook_event_pb2.WebhookEventState.Name(event.state)
            state = name.removeprefix("WEBHOOK_EVENT_STATE_")
            found[state] = found.get(state, 0) + 1
        return found

    await eventually(count, lambda found: found == counts)


async def execute(database: ServiceDatabase, statement: str) -> None:
    connection = await asyncpg.connect(database.superuser_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
