"""What Stripe is asked for, and what its answers are read as."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dev.simulators.stripe import StripeSimulator
from libs.levels import SubscriptionState
from services.billing_gateway.domain.observations import (
    CheckoutObserved,
    Observation,
    PaymentLinked,
    PaymentPaid,
    PaymentProgressed,
    SubscriptionClaimed,
    SubscriptionObserved,
)
from services.billing_gateway.domain.values import CheckoutState, PaymentObject, PaymentProgress
from services.billing_gateway.ports import (
    AmountRefusedError,
    ProviderRefusedError,
    UnknownToProviderError,
)
from services.billing_gateway.stripe.provider import StripeProvider
from tests.integration.billing_gateway.stripe.asking import (
    CLAIM,
    SUBSCRIPTION,
    TOP_UP,
    provider_of,
)

METADATA = {
    "organization_id": "org-1",
    "tollgate_intent": CLAIM.intent_id,
    "tollgate_proof": CLAIM.proof,
}
COMMON = {
    "cancel_url": "https://example.com/back",
    "client_reference_id": "org-1",
    "metadata": METADATA,
    "success_url": "https://example.com/done",
}


def top_up(checkout_id: str, state: CheckoutState) -> CheckoutObserved:
    return CheckoutObserved(checkout_id, state, CLAIM, 25_000_000, "USD")


async def checkout_state(provider: StripeProvider, checkout_id: str) -> Observation:
    *_, observed = (await provider.fetch_checkout(checkout_id)).observations
    return observed


async def test_a_top_up_takes_exactly_what_was_asked(
    provider: StripeProvider, simulator: StripeSimulator
) -> None:
    opened = await provider.create_top_up(TOP_UP)

    assert opened.url == f"{simulator.base_url}/pay/{opened.checkout_id}"
    assert opened.subscription_id == ""
    [request] = simulator.requests
    assert request.idempotency_key == TOP_UP.intent_id
    assert request.form == COMMON | {
        "adaptive_pricing": {"enabled": "false"},
        "line_items": {
            "0": {
                "quantity": "1",
                "price_data": {
                    "currency": "usd",
                    "product_data": {"name": "Top-up"},
                    "unit_amount": "2500",
                },
            }
        },
        "mode": "payment",
        "payment_intent_data": {"metadata": METADATA},
    }


async def test_a_subscription_is_made_with_its_proof(
    provider: StripeProvider, simulator: StripeSimulator
) -> None:
    opened = await provider.create_subscription(SUBSCRIPTION)

    [request] = simulator.requests
    assert request.idempotency_key == SUBSCRIPTION.intent_id
    assert request.form == COMMON | {
        "line_items": {"0": {"price": "price_pro", "quantity": "1"}},
        "mode": "subscription",
        "subscription_data": {"metadata": METADATA},
    }
    simulator.account.pay(opened.checkout_id)
    claimed, completed = (await provider.fetch_checkout(opened.checkout_id)).observations
    assert completed == CheckoutObserved(opened.checkout_id, CheckoutState.COMPLETED, CLAIM)
    assert isinstance(claimed, SubscriptionClaimed)
    [observed] = (await provider.fetch_subscription(claimed.subscription_id)).observations
    assert isinstance(observed, SubscriptionObserved)
    assert (observed.claim, observed.plan_id) == (CLAIM, "price_pro")


async def test_what_is_asked_twice_is_made_once(
    provider: StripeProvider, simulator: StripeSimulator
) -> None:
    first = await provider.create_top_up(TOP_UP)
    assert await provider.create_top_up(TOP_UP) == first
    assert len(simulator.account.books.sessions) == 1


async def test_a_key_is_good_for_one_content(provider: StripeProvider) -> None:
    await provider.create_top_up(TOP_UP)
    with pytest.raises(ProviderRefusedError, match="same parameters"):
        await provider.create_top_up(replace(TOP_UP, amount_micros=26_000_000))


@pytest.mark.parametrize(
    "amount", [{"amount_micros": 25_000_001}, {"currency_code": "ISK"}, {"currency_code": "XXX"}]
)
async def test_an_amount_that_stripe_cannot_be_told_is_refused_unasked(
    provider: StripeProvider, simulator: StripeSimulator, amount: dict[str, Any]
) -> None:
    with pytest.raises(AmountRefusedError):
        await provider.create_top_up(replace(TOP_UP, **amount))
    assert simulator.requests == []


async def test_what_stripe_refuses_is_refused_with_its_reason(provider: StripeProvider) -> None:
    with pytest.raises(ProviderRefusedError, match="below the least"):
        await provider.create_top_up(replace(TOP_UP, amount_micros=10_000))
    with pytest.raises(ProviderRefusedError, match="No such price") as refused:
        await provider.create_subscription(replace(SUBSCRIPTION, plan_id="gold"))
    assert not isinstance(refused.value, UnknownToProviderError)


@pytest.mark.parametrize("complete", [False, True])
async def test_a_paid_top_up_is_found_without_its_event(
    provider: StripeProvider, simulator: StripeSimulator, *, complete: bool
) -> None:
    checkout_id = (await provider.create_top_up(TOP_UP)).checkout_id
    simulator.account.pay(checkout_id)
    simulator.clock.advance(timedelta(hours=1))

    answer = await (
        provider.complete_top_up(checkout_id, "key")
        if complete
        else provider.fetch_checkout(checkout_id)
    )

    assert abs(answer.provider_time - simulator.clock.now()) < timedelta(seconds=10)
    session = simulator.account.session(checkout_id)
    assert answer.observations == (
        PaymentPaid(
            objects=(PaymentObject(session.intent_id, 0), PaymentObject(checkout_id, 4)),
            subscription_id="",
            customer_id=session.customer_id,
            checkout_id=checkout_id,
            claim=CLAIM,
            lines=(),
            currency_code="USD",
            paid_micros=25_000_000,
            paid_time=answer.provider_time,
        ),
        top_up(checkout_id, CheckoutState.COMPLETED),
    )


async def test_a_top_up_is_seen_on_every_way_it_can_go(
    provider: StripeProvider, simulator: StripeSimulator
) -> None:
    checkout_id = (await provider.create_top_up(TOP_UP)).checkout_id
    assert await checkout_state(provider, checkout_id) == top_up(checkout_id, CheckoutState.OPEN)
    simulator.account.pay_later(checkout_id)
    progressed, observed = (await provider.fetch_checkout(checkout_id)).observations
    assert observed == top_up(checkout_id, CheckoutState.PENDING)
    assert isinstance(progressed, PaymentProgressed)
    simulator.account.settle(checkout_id, succeeds=False)
    progressed, observed = (await provider.fetch_checkout(checkout_id)).observations
    assert observed == top_up(checkout_id, CheckoutState.FAILED)
    assert isinstance(progressed, PaymentProgressed)
    assert progressed.progress is PaymentProgress.FAILED

    expired = (await provider.create_top_up(replace(TOP_UP, intent_id="3" * 32))).checkout_id
    simulator.account.expire(expired)
    assert await checkout_state(provider, expired) == top_up(expired, CheckoutState.FAILED)


async def test_a_subscription_is_ended_and_run_again(
    provider: StripeProvider, simulator: StripeSimulator
) -> None:
    subscription_id = simulator.account.subscribe("price_pro")

    async def observed() -> SubscriptionObserved:
        [found] = (await provider.fetch_subscription(subscription_id)).observations
        assert isinstance(found, SubscriptionObserved)
        assert found.confirmed
        return found

    simulator.account.pause(subscription_id)
    assert (await observed()).state is SubscriptionState.SUSPENDED
    await provider.reactivate_subscription(subscription_id, note="by hand")
    assert (await observed()).state is SubscriptionState.ACTIVE
    await provider.cancel_subscription(subscription_id, at_period_end=True, note="")
    ending = await observed()
    assert (ending.state, ending.cancel_at_period_end) == (SubscriptionState.ACTIVE, True)
    await provider.cancel_subscription(subscription_id, at_period_end=False, note="by hand")
    assert (await observed()).state is SubscriptionState.CANCELED
    assert [
        request.form["cancellation_details"]["comment"]
        for request in simulator.requests
        if "cancellation_details" in request.form
    ] == ["by hand"]


@pytest.mark.parametrize("at_period_end", [False, True])
async def test_what_has_ended_cannot_be_ended_again(
    provider: StripeProvider, simulator: StripeSimulator, *, at_period_end: bool
) -> None:
    subscription_id = simulator.account.subscribe("price_pro")
    simulator.account.cancel(subscription_id)
    with pytest.raises(ProviderRefusedError):
        await provider.cancel_subscription(subscription_id, at_period_end=at_period_end, note="")


async def test_what_is_owed_must_be_paid_before_it_runs_again(
    provider: StripeProvider, simulator: StripeSimulator
) -> None:
    subscription_id = simulator.account.subscribe("price_pro")
    simulator.account.give_up(subscription_id)
    with pytest.raises(ProviderRefusedError, match="must pay its invoice"):
        await provider.reactivate_subscription(subscription_id, note="")


async def test_a_charge_leads_to_its_payment_and_its_invoice(
    provider: StripeProvider, simulator: StripeSimulator
) -> None:
    books = simulator.account.books
    invoice_id = books.subscriptions[simulator.account.subscribe("price_pro")].latest_invoice_id
    intent_id, charge_id = (
        books.invoices[invoice_id].intent_id,
        books.invoices[invoice_id].charge_id,
    )
    of_invoice = PaymentLinked((PaymentObject(invoice_id, 2), PaymentObject(intent_id, 1)))
    of_charge = PaymentLinked((PaymentObject(intent_id, 1), PaymentObject(charge_id, 3)))

    assert (await provider.resolve(intent_id)).observations == (of_invoice,)
    assert (await provider.resolve(charge_id)).observations == (of_charge, of_invoice)


async def test_a_payment_of_no_invoice_leads_nowhere(
    provider: StripeProvider, simulator: StripeSimulator
) -> None:
    checkout_id = (await provider.create_top_up(TOP_UP)).checkout_id
    simulator.account.pay(checkout_id)
    intent_id = simulator.account.session(checkout_id).intent_id
    assert (await provider.resolve(intent_id)).observations == ()


async def test_what_stripe_does_not_know_is_unknown(provider: StripeProvider) -> None:
    for asked in (
        provider.fetch_subscription("sub_9"),
        provider.fetch_checkout("cs_9"),
        provider.cancel_subscription("sub_9", at_period_end=True, note=""),
        provider.resolve("ch_9"),
        provider.resolve("re_9"),
    ):
        with pytest.raises(UnknownToProviderError):
            await asked


async def test_without_a_key_stripe_is_heard_but_not_asked(
    provider: StripeProvider, simulator: StripeSimulator
) -> None:
    mute = provider_of(simulator.base_url, api_key="")
    assert (mute.can_be_asked, provider.can_be_asked) == (False, True)
    with pytest.raises(ProviderRefusedError, match="STRIPE_API_KEY is not set"):
        await mute.fetch_subscription("sub_1")
    await mute.close()
    assert simulator.requests == []
