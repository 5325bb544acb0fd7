"""What a PayPal that is not one tells of a subscription, and how the gateway takes it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import grpc

from libs.levels import SubscriptionState
from services.billing_gateway.domain.observations import (
    Claim,
    Observation,
    SubscriptionObserved,
    SubscriptionPaid,
    SubscriptionPaymentFailed,
)
from services.billing_gateway.domain.values import Provider
from tests.integration.billing_gateway.requests import RECEIVED
from tests.support.stack import Stack, now
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_pb2,
    provider_pb2,
    subscription_pb2,
    webhook_event_pb2,
)

SUBSCRIPTION = "I-1"
CUSTOMER = "payer-1"
OURS = Claim("org-1")
LAST_WEEK = now() - timedelta(days=7)
PERIOD_END = now() + timedelta(days=30)


def at(minutes: float) -> datetime:
    """Return a time of last week."""
    return LAST_WEEK + timedelta(minutes=minutes)


def is_(
    state: SubscriptionState,
    since: datetime | None,
    *,
    period_end: datetime | None = PERIOD_END,
    claim: Claim | None = OURS,
    subscription_id: str = SUBSCRIPTION,
    **others: Any,
) -> SubscriptionObserved:
    """Return that the subscription is in a state since then."""
    details = {
        "customer_id": CUSTOMER,
        "plan_id": "basic",
        "cancel_at_period_end": False,
        "details_time": since,
        "rank": 1,
        **others,
    }
    return SubscriptionObserved(
        subscription_id=subscription_id,
        claim=claim,
        state=state,
        current_period_end_time=period_end,
        provider_time=since,
        **details,
    )


def failed(when: datetime, subscription_id: str = SUBSCRIPTION) -> SubscriptionPaymentFailed:
    """Return that an attempt to collect failed."""
    return SubscriptionPaymentFailed(subscription_id, CUSTOMER, when, moves_state=True)


def paid(
    when: datetime,
    *,
    period_end: datetime | None = None,
    claim: Claim | None = OURS,
    subscription_id: str = SUBSCRIPTION,
) -> SubscriptionPaid:
    """Return that the subscription was paid."""
    return SubscriptionPaid(subscription_id, CUSTOMER, claim, when, period_end, moves_state=True)


async def event_of(stack: Stack, event_id: str) -> webhook_event_pb2.WebhookEvent:
    """Return an event of this PayPal."""
    request = billing_gateway_service_pb2.GetWebhookEventRequest(
        provider=provider_pb2.PROVIDER_PAYPAL, event_id=event_id
    )
    return (await stack.gateway.GetWebhookEvent(request)).event


async def tell(
    stack: Stack, event_id: str, *observations: Observation
) -> webhook_event_pb2.WebhookEvent:
    """Deliver an event and return what came of it."""
    assert await stack.deliver_fake(Provider.PAYPAL, event_id, *observations) == 200
    return await eventually(lambda: event_of(stack, event_id), lambda it: it.state != RECEIVED)


async def standing_of(
    stack: Stack, organization_id: str = "org-1"
) -> billing_gateway_service_pb2.GetSubscriptionResponse:
    """Return how an organization stands; an empty answer as long as nothing is known of it."""
    request = billing_gateway_service_pb2.GetSubscriptionRequest(organization_id=organization_id)
    try:
        return await stack.gateway.GetSubscription(request)
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.NOT_FOUND  # noqa: PT017 - not there yet
        return billing_gateway_service_pb2.GetSubscriptionResponse()


async def subscription_of(stack: Stack) -> subscription_pb2.Subscription:
    """Return the subscription that decides how org-1 stands."""
    return (await standing_of(stack)).deciding_subscription


async def state_reaches(stack: Stack, state: SubscriptionState) -> subscription_pb2.Subscription:
    """Wait until the subscription is in a state."""
    value = subscription_pb2.SubscriptionState.Value(f"SUBSCRIPTION_STATE_{state}")
    return await eventually(lambda: subscription_of(stack), lambda it: it.state == value)


async def query(stack: Stack, statement: str, *arguments: object) -> Sequence[asyncpg.Record]:
    """Run a statement in the gateway's database."""
    connection = await asyncpg.connect(stack.databases["billing_gateway"].superuser_url)
    try:
        return await connection.fetch(statement, *arguments)
    finally:
        await connection.close()


async def history_of(stack: Stack, organization_id: str = "org-1") -> list[asyncpg.Record]:
    """Return the organization's history, oldest first."""
    statement = "SELECT * FROM subscription_changes WHERE organization_id = $1 ORDER BY change_id"
    return list(await query(stack, statement, organization_id))
