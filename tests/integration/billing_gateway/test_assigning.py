"""AssignPayment: money that nobody could be named for."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from libs.errors import ErrorReason
from services.billing_gateway.domain.crediting import CreditAllowance
from services.billing_gateway.domain.observations import PlanLine, SubscriptionPaid
from services.billing_gateway.domain.values import PaymentState, Provider
from tests.conftest import MakeDatabase
from tests.integration.billing_gateway.money import (
    START,
    Money,
    linked,
    open_money,
    paid,
    progressed,
    refund,
    refusal_of,
)
from tests.integration.billing_gateway.requests import PARKED, events_of
from tests.support.fake_provider import FakeProvider
from tests.support.stack import Stack
from tests.support.waiting import eventually

PAID = 25_000_000
OF_NOBODY = paid("pi_1=0", "cs_1", organization_id="")


@pytest.fixture
async def money(make_database: MakeDatabase) -> AsyncIterator[Money]:
    """The recording of a gateway, on a database of its own."""
    async with open_money(await make_database("billing_gateway")) as it:
        yield it


async def test_money_of_nobody_is_parked_and_credited_to_whom_it_is_assigned(money: Money) -> None:
    recorded = await money.tell("evt_1", OF_NOBODY, refund("pi_1", "re_1", 5_000_000))
    assert "no organization" in recorded.problem
    parked = (await money.payment("pi_1")).payment
    assert parked.state is PaymentState.PARKED
    assert parked.problem == recorded.problem
    assert parked.credited_micros is None
    await money.assign("stripe:cs_1")
    payment = (await money.payment("pi_1")).payment
    assert (payment.organization_id, payment.credited_micros) == ("org-1", PAID)
    assert payment.standing.reversed_micros == 5_000_000
    assert (payment.state, payment.problem) == (PaymentState.PARTIALLY_REVERSED, "")
    [row] = await money.fetch("SELECT assign_actor, assign_note FROM payments")
    assert tuple(row) == ("ann", "ticket-7")
    [row] = await money.fetch("SELECT action, actor, note, organization_id FROM operator_actions")
    assert tuple(row) == ("AssignPayment", "ann", "ticket-7", "org-1")


async def test_assigning_again_changes_nothing_and_to_another_is_refused(money: Money) -> None:
    await money.tell("evt_1", OF_NOBODY)
    await asyncio.gather(*(money.assign("stripe:pi_1") for _ in range(20)))
    before = await money.fetch("SELECT xmin, * FROM payments")
    assert before[0]["revision"] == 1
    assert len(await money.fetch("SELECT FROM operator_actions")) == 1
    await money.assign("stripe:pi_1")
    error = await refusal_of(money.assign("stripe:pi_1", "org-2"))
    assert error.reason is ErrorReason.ALREADY_LINKED
    assert (await money.tell("evt_1", OF_NOBODY)).problem == ""
    assert await money.fetch("SELECT xmin, * FROM payments") == before


async def test_two_who_assign_one_payment_at_once_credit_it_to_one_of_them(money: Money) -> None:
    for number in range(10):
        name = f"pi_{number}"
        await money.tell(f"evt_{number}", paid(f"{name}=0", organization_id=""))
        results = await asyncio.gather(
            money.assign(f"stripe:{name}", "org-1"),
            money.assign(f"stripe:{name}", "org-2"),
            return_exceptions=True,
        )
        assert sum(isinstance(each, Exception) for each in results) == 1
        assert (await money.payment(name)).payment.revision == 1


async def test_a_payment_that_is_assigned_to_one_cannot_be_merged_into_anothers(
    money: Money,
) -> None:
    await money.tell("evt_1", OF_NOBODY)
    await money.assign("stripe:pi_1")
    await money.tell("evt_2", replace(progressed("in_1"), claim=paid("x_1=0").claim))
    await money.tell("evt_3", paid("in_2=0", organization_id="org-2"))
    error = await refusal_of(money.tell("evt_4", linked("pi_1", "in_2")))
    assert error.reason is ErrorReason.INVALID_STATE


async def test_a_payment_is_credited_later_to_whom_it_was_assigned_before_it_was_paid(
    money: Money,
) -> None:
    await money.tell("evt_1", progressed("pi_1", "ch_1"))
    await money.assign("stripe:ch_1")
    assert (await money.payment("pi_1")).payment.state is PaymentState.PENDING
    assert (await money.tell("evt_2", OF_NOBODY)).problem == ""
    assert (await money.payment("pi_1")).payment.credited_micros == PAID


async def test_only_what_is_known_can_be_assigned(money: Money) -> None:
    for payment_id in ("stripe:pi_9", "pi_9"):
        error = await refusal_of(money.assign(payment_id))
        assert error.reason is ErrorReason.PAYMENT_NOT_FOUND


@pytest.fixture
def stack_services() -> tuple[str, ...]:
    """What is told to the wallet is not of interest here."""
    return ("billing_gateway",)


async def test_a_subscriptions_payment_is_credited_by_the_event_that_told_what_it_was_for(
    stopped_stack: Stack,
) -> None:
    stopped_stack.gateway_settings = {
        "plan_credits": {"pro": {"allowance_micros": 50_000_000, "currency_code": "USD"}}
    }
    stopped_stack.gateway_providers = {Provider.STRIPE: FakeProvider(Provider.STRIPE)}
    await stopped_stack.start("billing_gateway")
    invoice = replace(
        OF_NOBODY, subscription_id="sub_1", customer_id="cus_1", lines=(PlanLine("pro", START),)
    )
    period_end = START + timedelta(days=30)
    renewed = SubscriptionPaid("sub_1", "cus_1", None, START, period_end, moves_state=False)
    await stopped_stack.deliver_fake(Provider.STRIPE, "evt_1", invoice, renewed)
    await eventually(lambda: events_of(stopped_stack, state=PARKED), bool)
    plans = {"pro": CreditAllowance(50_000_000, "USD")}
    async with open_money(stopped_stack.databases["billing_gateway"], plans) as money:
        await money.assign("stripe:pi_1")

        async def credited() -> int | None:
            return (await money.payment("pi_1")).payment.credited_micros

        assert await eventually(credited, lambda it: it is not None) == 50_000_000
