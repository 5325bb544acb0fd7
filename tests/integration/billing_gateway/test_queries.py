"""Lists of subscriptions and of their history: pages, filters, and tokens that nobody gave out."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import grpc
import pytest

from libs.levels import SubscriptionState
from services.billing_gateway.domain.observations import Claim
from tests.integration.billing_gateway.subscriptions_told import at, is_, tell
from tests.support.stack import Stack, now
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_payments_pb2,
    billing_gateway_service_subscriptions_pb2,
    provider_pb2,
    subscription_pb2,
)

PENDING, TRIALING, ACTIVE, PAST_DUE, SUSPENDED, CANCELED = SubscriptionState
ENDED = now() - timedelta(days=30)


@pytest.fixture
def stack_services() -> tuple[str, ...]:
    """Who is told of the levels is another matter."""
    return ("billing_gateway",)


@pytest.fixture
async def graced_stack(stopped_stack: Stack, fake_stack: Stack) -> Stack:
    """With a grace for who is past due."""
    await stopped_stack.stop("billing_gateway")
    stopped_stack.gateway_settings = {"past_due_grace_seconds": 3_600.0}
    await stopped_stack.start("billing_gateway")
    return stopped_stack


async def list_subscriptions(
    stack: Stack, **wanted: Any
) -> billing_gateway_service_subscriptions_pb2.ListSubscriptionsResponse:
    return await stack.gateway.ListSubscriptions(
        billing_gateway_service_subscriptions_pb2.ListSubscriptionsRequest(**wanted)
    )


async def ids_of(stack: Stack, **wanted: Any) -> list[str]:
    found = await list_subscriptions(stack, **wanted)
    return [each.provider_subscription_id for each in found.subscriptions]


async def test_subscriptions_are_listed_newest_first_in_pages_and_by_every_filter(
    graced_stack: Stack,
) -> None:
    told = {
        "I-1": is_(ACTIVE, at(1)),
        "I-2": is_(ACTIVE, at(1), period_end=ENDED),
        "I-3": is_(TRIALING, at(1), claim=Claim("org-2")),
        "I-4": is_(PAST_DUE, now()),
        "I-5": is_(PAST_DUE, at(1)),
        "I-6": is_(SUSPENDED, at(1), claim=Claim("org-2")),
    }
    for number, (name, observation) in enumerate(told.items()):
        # Customers of their own, so that no organization is learnt from another's subscription.
        await tell(
            graced_stack,
            f"WH-{number}",
            replace(observation, subscription_id=name, customer_id=f"payer-{name}"),
        )
    link = billing_gateway_service_subscriptions_pb2.ListSubscriptionsRequest(page_size=4)
    first = await graced_stack.gateway.ListSubscriptions(link)
    link.page_token = first.next_page_token
    second = await graced_stack.gateway.ListSubscriptions(link)
    pages = [[it.provider_subscription_id for it in each.subscriptions] for each in (first, second)]
    assert pages == [["I-6", "I-5", "I-4", "I-3"], ["I-2", "I-1"]]
    assert second.next_page_token == ""

    found = {
        "organization": await ids_of(graced_stack, organization_id="org-2"),
        "provider": await ids_of(graced_stack, provider=provider_pb2.PROVIDER_STRIPE),
        "state": await ids_of(graced_stack, state=subscription_pb2.SUBSCRIPTION_STATE_PAST_DUE),
        "good": await ids_of(graced_stack, good_standing=True),
        "not good": await ids_of(graced_stack, good_standing=False),
    }
    assert found == {
        "organization": ["I-6", "I-3"],
        "provider": [],
        "state": ["I-5", "I-4"],
        "good": ["I-4", "I-3", "I-1"],
        "not good": ["I-6", "I-5", "I-2"],
    }
    for each in (await list_subscriptions(graced_stack)).subscriptions:
        assert each.good_standing == (each.provider_subscription_id in found["good"])


async def test_history_is_listed_newest_first_in_pages_and_by_every_filter(
    fake_stack: Stack,
) -> None:
    for number, state in enumerate([TRIALING, ACTIVE, SUSPENDED, ACTIVE]):
        await tell(fake_stack, f"WH-{number}", is_(state, at(number)))
    other = is_(ACTIVE, at(9), claim=Claim("org-2"), subscription_id="I-2", customer_id="payer-2")
    await tell(fake_stack, "WH-9", other)

    async def list_changes(
        **wanted: Any,
    ) -> billing_gateway_service_subscriptions_pb2.ListSubscriptionChangesResponse:
        return await fake_stack.gateway.ListSubscriptionChanges(
            billing_gateway_service_subscriptions_pb2.ListSubscriptionChangesRequest(**wanted)
        )

    first = await list_changes(page_size=3)
    second = await list_changes(page_size=3, page_token=first.next_page_token)
    changes = [*first.changes, *second.changes]
    assert [each.event_id for each in changes] == ["WH-9", "WH-3", "WH-2", "WH-1", "WH-0"]
    assert second.next_page_token == ""
    suspended = changes[2]
    assert suspended.provider == provider_pb2.PROVIDER_PAYPAL
    assert suspended.provider_subscription_id == "I-1"
    assert suspended.cause == subscription_pb2.SUBSCRIPTION_CHANGE_CAUSE_EVENT
    assert suspended.from_state == subscription_pb2.SUBSCRIPTION_STATE_ACTIVE
    assert suspended.to_state == subscription_pb2.SUBSCRIPTION_STATE_SUSPENDED
    assert not suspended.good_standing
    assert changes[1].good_standing
    assert changes[1].good_until.ToDatetime() > changes[1].change_time.ToDatetime()
    assert changes[4].from_state == subscription_pb2.SUBSCRIPTION_STATE_UNSPECIFIED
    of_one = await list_changes(organization_id="org-2")
    assert [each.event_id for each in of_one.changes] == ["WH-9"]
    since = await list_changes(start_time=suspended.change_time)
    assert [each.event_id for each in since.changes] == ["WH-9", "WH-3", "WH-2"]
    until = await list_changes(end_time=suspended.change_time)
    assert [each.event_id for each in until.changes] == ["WH-1", "WH-0"]


@pytest.mark.parametrize(
    "token",
    ["made up", "WzFd", "WzksICJhIiwgImIiXQ==", "WzksIDld", "Wzk5OTk5OTk5OTk5OTk5OTk5LCAxXQ=="],
)
async def test_a_made_up_page_token_is_refused_or_harmless(fake_stack: Stack, token: str) -> None:
    subscriptions = billing_gateway_service_subscriptions_pb2
    for rpc, request in (
        ("ListSubscriptions", subscriptions.ListSubscriptionsRequest(page_token=token)),
        ("ListSubscriptionChanges", subscriptions.ListSubscriptionChangesRequest(page_token=token)),
        (
            "ListPayments",
            billing_gateway_service_payments_pb2.ListPaymentsRequest(page_token=token),
        ),
    ):
        try:
            await getattr(fake_stack.gateway, rpc)(request)
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.INVALID_ARGUMENT  # noqa: PT017 - or harmless
