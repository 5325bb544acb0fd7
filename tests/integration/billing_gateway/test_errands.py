"""Errands: approved money is taken once, and what no webhook told is found."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from pydantic import SecretStr

from libs.levels import SubscriptionState
from services.billing_gateway.domain.claims import ClaimKeys
from services.billing_gateway.domain.observations import Claim
from services.billing_gateway.domain.values import CheckoutState, Provider
from services.billing_gateway.ports import Answer, ProviderRefusedError
from tests.integration.billing_gateway.checkouts_asked import (
    create_subscription,
    create_top_up,
    paid,
    payment_of,
    stands,
)
from tests.integration.billing_gateway.subscriptions_told import is_, query, tell
from tests.support.fake_provider import FakeProvider
from tests.support.stack import Stack, now
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import payment_pb2

APPROVED, COMPLETED = CheckoutState.APPROVED, CheckoutState.COMPLETED
CLAIM_KEY = "a key for tests, long enough for claims"

CHECKOUT = """
SELECT *, errand_due_time - now() AS wait, now() - create_time AS age FROM checkouts
"""


@pytest.fixture
def stack_services() -> tuple[str, ...]:
    """Who is told of the money is another matter."""
    return ("billing_gateway",)


@pytest.fixture
async def looking_stack(stopped_stack: Stack, paypal: FakeProvider, stripe: FakeProvider) -> Stack:
    """A gateway that looks at an open checkout at once, and soon again."""
    stopped_stack.gateway_settings = {"checkout_look_seconds": 0.1}
    stopped_stack.gateway_providers = {each.name: each for each in (paypal, stripe)}
    await stopped_stack.start("billing_gateway")
    return stopped_stack


async def open_top_up(stack: Stack, paypal: FakeProvider, **changes: object) -> str:
    """Have a top-up made that PayPal will say is paid once it is captured."""
    await create_top_up(stack, **changes)
    [*_, made] = paypal.made.values()
    paypal.answer(made.checkout_id, stands(made.checkout_id, COMPLETED), paid(made.checkout_id))
    return made.checkout_id


async def is_paid(stack: Stack, checkout_id: str) -> payment_pb2.Payment:
    """Wait until a checkout's money is credited."""
    return await eventually(
        lambda: payment_of(stack, checkout_id),
        lambda it: it.state == payment_pb2.PAYMENT_STATE_PAID,
    )


async def keys_of(paypal: FakeProvider) -> list[str]:
    """Return with which keys money was asked for."""
    return [call.key for call in paypal.calls if call.method == "complete_top_up"]


async def test_what_is_approved_is_captured_once_however_often_that_is_told(
    fake_stack: Stack, paypal: FakeProvider
) -> None:
    order = await open_top_up(fake_stack, paypal)

    await asyncio.gather(
        *(tell(fake_stack, f"WH-{each}", stands(order, APPROVED)) for each in range(8))
    )

    payment = await is_paid(fake_stack, order)
    assert payment.credited_micros == 25_000_000
    # The word of the capture comes as well.
    await tell(fake_stack, "WH-9", paid(order))
    await tell(fake_stack, "WH-10", stands(order, APPROVED))
    assert (await is_paid(fake_stack, order)).credited_micros == 25_000_000
    assert len(await keys_of(paypal)) == 1
    [row] = await query(fake_stack, CHECKOUT)
    assert (row["state"], row["errand_due_time"]) == ("COMPLETED", None)


async def test_what_was_captured_already_is_not_asked_for(
    fake_stack: Stack, paypal: FakeProvider
) -> None:
    order = await open_top_up(fake_stack, paypal)
    await tell(fake_stack, "WH-1", paid(order))
    await tell(fake_stack, "WH-2", stands(order, APPROVED))
    await is_paid(fake_stack, order)
    assert paypal.calls[1:] == []


async def test_a_declined_capture_is_repeated_after_a_new_approval_with_a_new_key(
    fake_stack: Stack, paypal: FakeProvider
) -> None:
    order = await open_top_up(fake_stack, paypal)
    paypal.answer(order, stands(order, APPROVED))
    await tell(fake_stack, "WH-1", stands(order, APPROVED))
    again = await eventually(lambda: create_top_up(fake_stack), lambda it: it.checkout_url != "")
    assert again.payment.state == payment_pb2.PAYMENT_STATE_PENDING
    paypal.answer(order, stands(order, COMPLETED), paid(order))

    await tell(fake_stack, "WH-2", stands(order, APPROVED))

    await is_paid(fake_stack, order)
    [row] = await query(fake_stack, CHECKOUT)
    assert await keys_of(paypal) == [f"{row['intent_id']}-1", f"{row['intent_id']}-2"]


async def test_a_capture_whose_answer_is_lost_is_repeated_with_its_key(
    fake_stack: Stack, paypal: FakeProvider
) -> None:
    order = await open_top_up(fake_stack, paypal)
    paypal.lost_answers = 2
    await tell(fake_stack, "WH-1", stands(order, APPROVED))
    await is_paid(fake_stack, order)
    keys = await keys_of(paypal)
    assert len(keys) == 3
    assert set(keys) == {paypal.captured[order]}


async def test_a_refused_capture_says_why_and_is_tried_again_by_and_by(
    fake_stack: Stack, paypal: FakeProvider
) -> None:
    order = await open_top_up(fake_stack, paypal)
    paypal.refusals["complete_top_up"] = ProviderRefusedError("a compliance matter")
    await tell(fake_stack, "WH-1", stands(order, APPROVED))
    [row] = await eventually(lambda: query(fake_stack, CHECKOUT), lambda it: it[0]["last_error"])
    assert row["last_error"] == "a compliance matter"
    assert row["state"] == "APPROVED"
    assert timedelta(minutes=10) < row["wait"] < timedelta(minutes=20)


async def test_a_top_up_that_no_webhook_told_of_is_found(
    looking_stack: Stack, paypal: FakeProvider
) -> None:
    order = await open_top_up(looking_stack, paypal)
    assert (await is_paid(looking_stack, order)).credited_micros == 25_000_000
    [row] = await query(looking_stack, CHECKOUT)
    assert (row["state"], row["errand_due_time"]) == ("COMPLETED", None)


async def test_an_approval_that_no_webhook_told_of_is_found_and_captured(
    looking_stack: Stack, paypal: FakeProvider
) -> None:
    await create_top_up(looking_stack)
    [made] = paypal.made.values()
    order = made.checkout_id
    paypal.answer(order, stands(order, APPROVED))
    await eventually(lambda: keys_of(paypal), lambda keys: len(keys) > 0)
    paypal.answer(order, stands(order, COMPLETED), paid(order))
    await is_paid(looking_stack, order)


async def test_money_is_looked_for_where_only_its_order_is_told_as_completed(
    looking_stack: Stack, paypal: FakeProvider
) -> None:
    await create_top_up(looking_stack)
    [made] = paypal.made.values()
    order = made.checkout_id
    await tell(looking_stack, "WH-1", stands(order, COMPLETED))
    paypal.answer(order, stands(order, COMPLETED), paid(order))
    await is_paid(looking_stack, order)


async def test_a_subscription_that_no_webhook_told_of_is_found(
    looking_stack: Stack, paypal: FakeProvider
) -> None:
    await create_subscription(looking_stack)
    [made] = paypal.made.values()
    active = is_(SubscriptionState.ACTIVE, now(), claim=None, subscription_id=made.subscription_id)
    paypal.answer(made.checkout_id, stands(made.checkout_id, COMPLETED), active)
    answer = await eventually(
        lambda: create_subscription(looking_stack), lambda it: it.subscription.good_standing
    )
    assert answer.approval_url == ""
    [row] = await query(looking_stack, CHECKOUT)
    assert (row["state"], row["errand_due_time"]) == ("COMPLETED", None)


async def test_an_expired_checkout_is_not_asked_about_any_more(
    looking_stack: Stack, paypal: FakeProvider
) -> None:
    await create_top_up(looking_stack)
    [made] = paypal.made.values()
    paypal.answer(made.checkout_id, stands(made.checkout_id, CheckoutState.FAILED))
    payment = await eventually(
        lambda: payment_of(looking_stack, made.checkout_id),
        lambda it: it.state == payment_pb2.PAYMENT_STATE_FAILED,
    )
    assert payment.paid_micros == 0
    assert (await query(looking_stack, CHECKOUT))[0]["errand_due_time"] is None


async def test_a_provider_that_is_away_is_asked_again_and_holds_up_no_other(
    looking_stack: Stack, paypal: FakeProvider, stripe: FakeProvider
) -> None:
    order = await open_top_up(looking_stack, paypal)
    paypal.unavailable = True
    for number in range(6):
        await create_top_up(looking_stack, provider=2, reference_id=f"top-up-at-stripe-{number}")
    for made in stripe.made.values():
        stripe.answer(made.checkout_id, paid(made.checkout_id, f"pi_{made.checkout_id}"))
    unpaid = "SELECT FROM checkouts WHERE provider = 'STRIPE' AND state <> 'COMPLETED'"
    await eventually(lambda: query(looking_stack, unpaid), lambda rows: not rows)
    [row] = await eventually(
        lambda: query(looking_stack, CHECKOUT + "WHERE provider = 'PAYPAL'"),
        lambda rows: rows[0]["last_error"] != "",
    )
    assert row["state"] == "OPEN"
    paypal.unavailable = False
    await is_paid(looking_stack, order)


@dataclass
class HungProvider(FakeProvider):
    """Takes the money, and never answers."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def complete_top_up(self, checkout_id: str, key: str) -> Answer:
        """Capture, and hang."""
        await super().complete_top_up(checkout_id, key)
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_gateway_that_dies_in_a_capture_is_followed_by_one_that_finds_the_money(
    stopped_stack: Stack, paypal: FakeProvider
) -> None:
    hung = HungProvider(Provider.PAYPAL, made=paypal.made, captured=paypal.captured)
    stopped_stack.gateway_providers = {Provider.PAYPAL: hung}
    await stopped_stack.start("billing_gateway")
    await create_top_up(stopped_stack)
    [made] = paypal.made.values()
    order = made.checkout_id
    for each in (hung, paypal):
        each.answer(order, stands(order, COMPLETED), paid(order))
    await tell(stopped_stack, "WH-1", stands(order, APPROVED))
    await hung.asked.wait()
    await stopped_stack.stop("billing_gateway")
    # What was claimed is given back when its lease ends, which need not be waited for here.
    await query(stopped_stack, "UPDATE checkouts SET errand_due_time = now()")
    stopped_stack.gateway_providers = {Provider.PAYPAL: paypal}

    await stopped_stack.start("billing_gateway")

    await is_paid(stopped_stack, order)
    assert await keys_of(paypal) == [paypal.captured[order]]


@pytest.mark.parametrize("lost", ["the answer", "the row"])
async def test_a_checkout_of_ours_is_recognized_by_its_proof(
    stopped_stack: Stack, paypal: FakeProvider, lost: str
) -> None:
    stopped_stack.gateway_settings = {
        "claim_keys": (SecretStr(CLAIM_KEY),),
        "trust_claimed_organizations": False,
    }
    stopped_stack.gateway_providers = {Provider.PAYPAL: paypal}
    await stopped_stack.start("billing_gateway")
    order = await open_top_up(stopped_stack, paypal)
    [intent] = paypal.made
    if lost == "the row":
        await query(stopped_stack, "DELETE FROM checkouts")
    else:
        await query(stopped_stack, "UPDATE checkouts SET state = 'WANTED', checkout_id = ''")
    proof = ClaimKeys((CLAIM_KEY.encode(),)).prove(Provider.PAYPAL, "org-1", intent)
    unproven = [
        Claim("org-1", intent),
        Claim("org-1", intent, "0" * 32),
        Claim("org-2", intent, proof),
    ]
    for number, claim in enumerate(unproven):
        told = stands(order, APPROVED, claim, amount_micros=25_000_000, currency_code="USD")
        await tell(stopped_stack, f"WH-{number}", told)
    assert await keys_of(paypal) == []

    proven = Claim("org-1", intent, proof)
    approved = stands(order, APPROVED, proven, amount_micros=25_000_000, currency_code="USD")
    await tell(stopped_stack, "WH-proven", approved)

    payment = await is_paid(stopped_stack, order)
    assert payment.organization_id == "org-1"
    restored = f"restored:{intent}" if lost == "the row" else "top-up-1"
    assert payment.checkout_reference_id == restored
    assert await keys_of(paypal) == [f"{intent}-1"]


async def test_checkouts_of_others_are_nobodys_business(
    fake_stack: Stack, paypal: FakeProvider
) -> None:
    told = stands("ORDER-OF-OTHERS", APPROVED, Claim("org-1"), amount_micros=1, currency_code="USD")
    event = await tell(fake_stack, "WH-1", told)
    assert (event.organization_id, event.last_error) == ("", "")
    assert await query(fake_stack, CHECKOUT) == []
    assert paypal.calls == []
