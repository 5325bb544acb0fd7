"""From a provider's deliveries to the wallet: what is credited, reversed, at risk and blocked."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import grpc
import pytest

from libs.levels import SubscriptionState
from services.billing_gateway.domain.observations import (
    Claim,
    Observation,
    PlanLine,
    SubscriptionObserved,
    SubscriptionPaid,
)
from services.billing_gateway.domain.values import PaymentObject, Provider
from tests.integration.billing_gateway.money import dispute, linked, paid, progressed, refund
from tests.integration.billing_gateway.requests import DEAD, DONE, PARKED, events_of
from tests.support.fake_provider import FakeProvider
from tests.support.stack import Stack, now
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import billing_gateway_service_pb2, payment_pb2, provider_pb2
from tollgate.wallet.v1 import wallet_pb2, wallet_service_pb2

STRIPE, PAYPAL = Provider.STRIPE, Provider.PAYPAL
PAID = 25_000_000


@pytest.fixture
async def fakes(stopped_stack: Stack) -> Stack:
    """A gateway whose providers are fakes, and the wallet."""
    stopped_stack.gateway_settings = {
        "plan_credits": {"pro": {"allowance_micros": 50_000_000, "currency_code": "USD"}}
    }
    stopped_stack.gateway_providers = {each: FakeProvider(each) for each in Provider}
    await stopped_stack.start("wallet", "billing_gateway")
    return stopped_stack


async def deliver(stack: Stack, event_id: str, *told: Observation) -> None:
    """Deliver an event of the fake Stripe."""
    assert await stack.deliver_fake(STRIPE, event_id, *told) == 200


async def wallet_reaches(stack: Stack, **expected: int) -> wallet_pb2.Wallet:
    """Wait until org-1 has a wallet that stands so."""

    async def look() -> wallet_pb2.Wallet:
        request = wallet_service_pb2.GetWalletRequest(organization_id="org-1")
        try:
            return (await stack.wallet.GetWallet(request)).wallet
        except grpc.aio.AioRpcError:
            return wallet_pb2.Wallet()

    return await eventually(
        look, lambda it: all(getattr(it, name) == value for name, value in expected.items())
    )


async def payment(
    stack: Stack, payment_id: str, provider: provider_pb2.Provider.ValueType
) -> payment_pb2.Payment:
    """Return a payment."""
    request = billing_gateway_service_pb2.GetPaymentRequest(
        provider=provider, payment_id=payment_id
    )
    return (await stack.gateway.GetPayment(request)).payment


async def test_the_wallet_follows_refunds_disputes_and_what_becomes_of_them(fakes: Stack) -> None:
    await deliver(fakes, "evt_1", paid("pi_1=0", "cs_1"))
    await wallet_reaches(fakes, balance_micros=PAID)
    await deliver(fakes, "evt_2", refund("pi_1", "re_1", 5_000_000))
    await wallet_reaches(fakes, available_micros=20_000_000)
    await deliver(fakes, "evt_3", dispute("pi_1", blocks_spending=True))
    wallet = await wallet_reaches(fakes, balance_micros=20_000_000, available_micros=0)
    assert [each.reason for each in wallet.freezes] == [wallet_pb2.FREEZE_REASON_DISPUTE]
    await deliver(fakes, "evt_4", dispute("pi_1", rank=1, withdrawal_count=1))
    await wallet_reaches(fakes, balance_micros=0)
    await deliver(fakes, "evt_5", dispute("pi_1", state="WON", rank=2, withdrawal_count=1))
    wallet = await wallet_reaches(fakes, available_micros=20_000_000)
    assert not wallet.freezes
    # The wallet has what it answered before the gateway has the answer.
    seen = await eventually(
        lambda: payment(fakes, "stripe:cs_1", provider_pb2.PROVIDER_STRIPE),
        lambda it: it.acknowledged_revision == it.revision,
    )
    assert seen.state == payment_pb2.PAYMENT_STATE_PARTIALLY_REVERSED
    assert seen.revision == 5
    assert [each.component_id for each in seen.components] == ["dp_1", "re_1"]
    assert list(seen.provider_object_ids) == ["pi_1", "cs_1"]


async def test_a_hundred_first_events_of_one_payment_credit_it_once(fakes: Stack) -> None:
    told: list[Observation] = [
        paid("in_1=0"),
        linked("in_1", "pi_1", "ch_1"),
        progressed("pi_1", "ch_1"),
        refund("ch_1", "re_1", 5_000_000),
    ]
    await asyncio.gather(
        *(deliver(fakes, f"evt_{number}", told[number % 4]) for number in range(100))
    )
    await eventually(lambda: events_of(fakes, state=DONE, page_size=200), lambda it: len(it) == 100)
    await wallet_reaches(fakes, balance_micros=20_000_000)
    seen = await payment(fakes, "stripe:ch_1", provider_pb2.PROVIDER_STRIPE)
    assert seen.payment_id == "stripe:in_1"
    assert seen.credited_micros == PAID
    assert len(seen.event_ids) == 100


async def test_two_credits_that_prove_to_be_one_flow_are_dead_and_nothing_moves(
    fakes: Stack,
) -> None:
    await deliver(fakes, "evt_1", paid("pi_1=0"))
    await deliver(fakes, "evt_2", paid("in_1=0"))
    await wallet_reaches(fakes, balance_micros=2 * PAID)
    await deliver(fakes, "evt_3", linked("pi_1", "in_1"))
    [dead] = await eventually(lambda: events_of(fakes, state=DEAD), bool)
    assert "credited payments are one flow of money" in dead.last_error
    await deliver(fakes, "evt_4", refund("pi_1", "re_1", PAID))
    await wallet_reaches(fakes, balance_micros=PAID)


def sale(number: int, days_ago: int) -> list[Observation]:
    """Return what PayPal tells of a sale: it names no plan."""
    sold = now() - timedelta(days=days_ago)
    told = replace(
        paid("pi_1=0"),
        objects=(PaymentObject(f"SALE{number}", 0),),
        subscription_id="I-1",
        lines=(PlanLine("", sold),),
        paid_time=sold,
    )
    return [told, SubscriptionPaid("I-1", "", Claim("org-1"), sold, None, moves_state=True)]


def subscription(plan_id: str, days_ago: int) -> SubscriptionObserved:
    """Return a subscription that had a plan so long ago."""
    told_time = now() - timedelta(days=days_ago)
    return SubscriptionObserved(
        subscription_id="I-1",
        customer_id="",
        claim=Claim("org-1"),
        plan_id=plan_id,
        state=SubscriptionState.ACTIVE,
        current_period_end_time=now() + timedelta(days=28),
        cancel_at_period_end=False,
        provider_time=told_time,
        details_time=told_time,
        rank=0,
    )


async def test_a_sale_before_its_subscription_waits_for_its_plan(fakes: Stack) -> None:
    await fakes.deliver_fake(PAYPAL, "WH-1", *sale(1, days_ago=2))
    [parked] = await eventually(lambda: events_of(fakes, state=PARKED), bool)
    assert parked.last_error == "its plan is not known yet"
    seen = await payment(fakes, "paypal:SALE1", provider_pb2.PROVIDER_PAYPAL)
    assert seen.state == payment_pb2.PAYMENT_STATE_PARKED
    assert seen.problem == "its plan is not known yet"
    await fakes.deliver_fake(PAYPAL, "WH-2", subscription("pro", days_ago=1))
    await wallet_reaches(fakes, balance_micros=50_000_000)
    seen = await payment(fakes, "paypal:SALE1", provider_pb2.PROVIDER_PAYPAL)
    assert (seen.plan_id, seen.problem) == ("pro", "")


async def test_a_late_sale_is_credited_by_the_plan_of_its_day_and_each_sale_for_itself(
    fakes: Stack,
) -> None:
    await fakes.deliver_fake(PAYPAL, "WH-1", subscription("pro", days_ago=40))
    await fakes.deliver_fake(PAYPAL, "WH-2", subscription("basic", days_ago=1))
    await eventually(lambda: events_of(fakes, state=DONE), lambda it: len(it) == 2)
    await fakes.deliver_fake(PAYPAL, "WH-3", *sale(1, days_ago=32))
    await fakes.deliver_fake(PAYPAL, "WH-4", *sale(2, days_ago=2))
    await wallet_reaches(fakes, balance_micros=100_000_000)


async def test_who_tried_to_pay_in_vain_is_known_as_soon_as_the_customer_is(fakes: Stack) -> None:
    tried = replace(progressed("pi_1", progress="FAILED"), customer_id="cus_1")
    await deliver(fakes, "evt_1", tried)
    await eventually(lambda: events_of(fakes, state=DONE), bool)
    learnt = replace(subscription("basic", days_ago=1), customer_id="cus_1")
    await deliver(fakes, "evt_2", learnt)

    async def look() -> str:
        return (await payment(fakes, "stripe:pi_1", provider_pb2.PROVIDER_STRIPE)).organization_id

    await eventually(look, lambda found: found == "org-1")
    events = await eventually(lambda: events_of(fakes, state=DONE), lambda found: len(found) == 2)
    assert {each.organization_id for each in events} == {"org-1"}
