"""Grace: by a setting, by an operator, and its end by the clock."""

from datetime import UTC, datetime, timedelta

import grpc
import pytest

from dev.stripe_simulator import Customer
from libs.levels import SubscriptionState
from tests.integration.billing_gateway.requests import link
from tests.integration.billing_gateway.subscriptions_told import (
    CUSTOMER,
    PERIOD_END,
    SUBSCRIPTION,
    failed,
    history_of,
    is_,
    paid,
    query,
    standing_of,
    state_reaches,
    subscription_of,
    tell,
)
from tests.support.errors import refusal
from tests.support.fake_provider import FakeProvider
from tests.support.sights import (
    CUT_OFF,
    ORGANIZATION,
    SENDING,
    let_send,
    reach,
    subscription_is,
    wallet_of,
)
from tests.support.stack import SERVICES, Stack, now
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_pb2,
    billing_gateway_service_subscriptions_pb2,
    provider_pb2,
    subscription_pb2,
)

PENDING, TRIALING, ACTIVE, PAST_DUE, SUSPENDED, CANCELED = SubscriptionState
GRACE_SECONDS = 4


def grace_until(
    until: datetime, note: str = "ticket-7"
) -> billing_gateway_service_subscriptions_pb2.GrantGraceRequest:
    request = billing_gateway_service_subscriptions_pb2.GrantGraceRequest(
        organization_id="org-1", note=note, actor="ann"
    )
    request.until.FromDatetime(until)
    return request


def link_with_wallet() -> billing_gateway_service_pb2.LinkSubscriptionRequest:
    request = link(Customer("", CUSTOMER, SUBSCRIPTION), "org-1", "USD")
    request.provider = provider_pb2.PROVIDER_PAYPAL
    return request


@pytest.fixture
async def graceful(stopped_stack: Stack, paypal: FakeProvider) -> Stack:
    """A gateway that grants a few seconds."""
    paypal.can_be_asked = False
    stopped_stack.gateway_providers = {paypal.name: paypal}
    stopped_stack.gateway_settings = {"past_due_grace_seconds": float(GRACE_SECONDS)}
    await stopped_stack.start("wallet", "billing_gateway")
    return stopped_stack


async def test_a_grace_outlives_a_restart_and_ends_on_time_for_all(graceful: Stack) -> None:
    await tell(graceful, "WH-1", is_(ACTIVE, now() - timedelta(hours=1)))
    await graceful.gateway.LinkSubscription(link_with_wallet())
    since = now()
    await tell(graceful, "WH-2", failed(since))
    subscription = await state_reaches(graceful, PAST_DUE)
    end = since + timedelta(seconds=GRACE_SECONDS)
    assert subscription.grace_end_time.ToDatetime(tzinfo=UTC) == end
    assert subscription.good_standing
    assert not (await wallet_of(graceful, "org-1")).frozen

    await graceful.stop("billing_gateway")
    await graceful.start("billing_gateway")

    await eventually(lambda: wallet_of(graceful, "org-1"), lambda it: it.frozen)
    assert datetime.now(UTC) >= end
    standing = await eventually(
        lambda: standing_of(graceful), lambda it: not it.level.HasField("good_until")
    )
    assert not standing.level.good_standing
    assert standing.level.state == subscription_pb2.SUBSCRIPTION_STATE_PAST_DUE
    line = await eventually(lambda: history_of(graceful), lambda it: it[-1]["cause"] == "TIME")
    assert not line[-1]["good_standing"]
    [row] = await query(graceful, "SELECT reevaluate_time FROM organizations")
    assert row["reevaluate_time"] is None


async def test_neither_a_late_nor_a_repeated_word_moves_a_grace(graceful: Stack) -> None:
    first = now() + timedelta(seconds=60)
    await tell(graceful, "WH-1", is_(ACTIVE, now() - timedelta(hours=1)))
    for number, when in enumerate([first + timedelta(seconds=2), first, first]):
        await tell(graceful, f"WH-{number + 2}", failed(when))
    subscription = await subscription_of(graceful)
    end = first + timedelta(seconds=GRACE_SECONDS)
    assert subscription.grace_end_time.ToDatetime(tzinfo=UTC) == end
    await tell(graceful, "WH-9", paid(first + timedelta(seconds=9), period_end=PERIOD_END))
    await state_reaches(graceful, ACTIVE)
    assert not (await subscription_of(graceful)).HasField("grace_end_time")


async def test_without_a_grace_past_due_is_not_good(paypal_stack: Stack) -> None:
    await tell(paypal_stack, "WH-1", is_(PAST_DUE, now()))
    standing = await standing_of(paypal_stack)
    assert not standing.level.good_standing
    assert not standing.deciding_subscription.HasField("grace_end_time")


async def test_an_operator_lets_send_prolongs_and_takes_it_back(paypal_stack: Stack) -> None:
    """Nothing need be known of the organization."""
    soon, late = now() + timedelta(hours=1), now() + timedelta(days=30)
    for until in (late, late, soon):
        level = (await paypal_stack.gateway.GrantGrace(grace_until(until))).level
        assert level.good_standing
        assert level.state == subscription_pb2.SUBSCRIPTION_STATE_PENDING
        assert level.good_until == level.operator_grace_end_time
        assert level.good_until.ToDatetime(tzinfo=UTC) == until
    standing = await standing_of(paypal_stack)
    assert not standing.HasField("deciding_subscription")
    assert list(standing.subscriptions) == []

    back = await paypal_stack.gateway.GrantGrace(grace_until(now() - timedelta(days=1), "over"))

    assert not back.level.good_standing
    told = [
        (line["cause"], line["actor"], line["note"], line["good_standing"])
        for line in await history_of(paypal_stack)
    ]
    granted = ("GRACE", "ann", "ticket-7", True)
    assert told == [granted, granted, ("GRACE", "ann", "over", False)]


async def test_an_operators_grace_ends_by_itself(paypal_stack: Stack) -> None:
    until = datetime.now(UTC) + timedelta(seconds=1)
    await paypal_stack.gateway.GrantGrace(grace_until(until))
    await eventually(
        lambda: history_of(paypal_stack),
        lambda it: [line["cause"] for line in it] == ["GRACE", "TIME"],
    )
    assert datetime.now(UTC) >= until
    assert not (await standing_of(paypal_stack)).level.good_standing


async def test_a_grace_of_more_than_a_year_is_refused_and_grants_nothing(
    paypal_stack: Stack,
) -> None:
    asked = grace_until(now() + timedelta(days=367))
    found = await refusal(paypal_stack.gateway.GrantGrace(asked))
    assert found.code is grpc.StatusCode.INVALID_ARGUMENT
    assert (await standing_of(paypal_stack)).level.revision == 0


async def test_a_subscription_that_is_good_for_longer_outlasts_the_grace(
    paypal_stack: Stack,
) -> None:
    await tell(paypal_stack, "WH-1", is_(ACTIVE, now() - timedelta(hours=1)))
    revision = (await standing_of(paypal_stack)).level.revision
    until = datetime.now(UTC) + timedelta(seconds=1)
    level = (await paypal_stack.gateway.GrantGrace(grace_until(until))).level
    assert level.revision == revision, "nobody is told what changes nothing for them"
    due = "SELECT reevaluate_time FROM organizations WHERE reevaluate_time >= $1"
    [row] = await query(paypal_stack, due, until)
    assert row["reevaluate_time"] == until
    due = due.replace(">=", ">")
    await eventually(lambda: query(paypal_stack, due, until), lambda rows: len(rows) == 1)
    assert (await standing_of(paypal_stack)).level.good_standing


class TestWithAllObservers:
    """Wallet, campaign and telephony follow."""

    @pytest.fixture
    def stack_services(self) -> tuple[str, ...]:
        """All of them."""
        return SERVICES

    async def test_all_observers_follow_an_operators_grace(self, stack: Stack) -> None:
        customer = Customer(ORGANIZATION)
        await let_send(stack, customer)
        await subscription_is(stack, customer, "past_due")
        await reach(stack, CUT_OFF)
        await stack.gateway.GrantGrace(grace_until(now() + timedelta(days=1)))
        await reach(stack, SENDING)
        await stack.gateway.GrantGrace(grace_until(now() - timedelta(days=1)))
        await reach(stack, CUT_OFF)
