"""Commands against simulated providers, with their own signatures and over their own wires."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from dev.simulators.paypal import PayPalSimulator
from dev.simulators.paypal.certificates import make_chain
from dev.simulators.stripe import StripeSimulator
from services.billing_gateway.domain.values import Provider
from services.billing_gateway.paypal.environment import ADDRESSES, Environment
from tests.integration.billing_gateway.checkouts_asked import (
    STRIPE,
    create_subscription,
    create_top_up,
    payment_of,
)
from tests.integration.billing_gateway.paypal.asking import CREDENTIALS, WEBHOOK_ID, open_provider
from tests.integration.billing_gateway.stripe.asking import API_KEY, provider_of
from tests.integration.billing_gateway.subscriptions_told import standing_of
from tests.integration.billing_gateway.test_commands import cancel, reactivate, state_of, sync
from tests.support.sights import wallet_of
from tests.support.stack import Stack
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import payment_pb2


@pytest.fixture
async def paypal_account(stopped_stack: Stack) -> AsyncIterator[PayPalSimulator]:
    """A simulated PayPal that delivers to the gateway."""
    name = ADDRESSES[Environment.SANDBOX].certificate_name
    paypal = PayPalSimulator(
        client_id=CREDENTIALS.client_id,
        client_secret=CREDENTIALS.client_secret,
        webhook_id=WEBHOOK_ID,
        webhook_url=f"http://{stopped_stack.addresses['http']}/webhooks/paypal",
        chain=make_chain(name, datetime.now(UTC)),
        prices={"P-1": ("12.50", "USD")},
        retry_seconds=0.01,
    )
    await paypal.start()
    yield paypal
    await paypal.stop()


@pytest.fixture
async def stripe_account(stopped_stack: Stack) -> AsyncIterator[StripeSimulator]:
    """A simulated Stripe that delivers to the gateway."""
    url = f"http://{stopped_stack.addresses['http']}/webhooks/stripe"
    stripe = StripeSimulator(API_KEY, "whsec_1", url)
    await stripe.start()
    yield stripe
    await stripe.stop()


@pytest.fixture
async def real_stack(
    stopped_stack: Stack, paypal_account: PayPalSimulator, stripe_account: StripeSimulator
) -> Stack:
    """A gateway that believes and asks both, and the wallet."""
    stopped_stack.gateway_settings = {
        "trust_claimed_organizations": False,
        "checkout_look_seconds": 0.5,
    }
    stopped_stack.gateway_providers = {
        Provider.PAYPAL: open_provider(paypal_account, CollectorRegistry(), timeout_seconds=5.0),
        Provider.STRIPE: provider_of(stripe_account.base_url),
    }
    await stopped_stack.start("wallet", "billing_gateway")
    return stopped_stack


async def balance_reaches(stack: Stack, micros: int) -> None:
    await eventually(lambda: wallet_of(stack, "org-1"), lambda it: it.balance_micros == micros)


async def test_a_top_up_through_paypal_is_captured_by_the_gateway_and_credited(
    real_stack: Stack, paypal_account: PayPalSimulator
) -> None:
    answer = await create_top_up(real_stack)
    order_id = answer.payment.payment_id.removeprefix("paypal:")

    paypal_account.account.approve_order(order_id)

    await balance_reaches(real_stack, 25_000_000)
    payment = await payment_of(real_stack, order_id)
    assert payment.state == payment_pb2.PAYMENT_STATE_PAID
    assert payment.checkout_reference_id == "top-up-1"


async def test_an_approval_that_no_webhook_told_of_is_found_at_paypal(
    real_stack: Stack, paypal_account: PayPalSimulator
) -> None:
    paypal_account.deliveries.lose = 1.0
    answer = await create_top_up(real_stack)
    paypal_account.account.approve_order(answer.payment.payment_id.removeprefix("paypal:"))
    await balance_reaches(real_stack, 25_000_000)


async def test_a_top_up_through_stripe_is_credited_and_its_refund_taken_back(
    real_stack: Stack, stripe_account: StripeSimulator
) -> None:
    answer = await create_top_up(real_stack, provider=STRIPE)
    session_id = answer.payment.payment_id.removeprefix("stripe:")

    stripe_account.account.pay(session_id)

    await balance_reaches(real_stack, 25_000_000)
    payment = await payment_of(real_stack, session_id, STRIPE)
    assert payment.payment_id.startswith("stripe:pi_")
    intent_id = payment.payment_id.removeprefix("stripe:")
    stripe_account.account.refund(intent_id, 1_000)
    await balance_reaches(real_stack, 15_000_000)


async def test_a_subscription_at_paypal_from_its_creation_to_its_end(
    real_stack: Stack, paypal_account: PayPalSimulator
) -> None:
    answer = await create_subscription(real_stack, plan_id="P-1")
    subscription_id = answer.subscription.provider_subscription_id
    assert answer.approval_url

    paypal_account.account.approve_subscription(subscription_id)

    await eventually(lambda: standing_of(real_stack), lambda it: it.level.good_standing)
    await balance_reaches(real_stack, 12_500_000)
    # PayPal tells whole seconds: what changes has to change in one of its own.
    paypal_account.clock.advance(timedelta(seconds=1))
    paypal_account.account.suspend(subscription_id)
    # Not in good standing it may be for a moment, too, after a look in the second of its approval.
    await eventually(
        lambda: standing_of(real_stack),
        lambda it: state_of(it.deciding_subscription) == "SUSPENDED",
    )
    paypal_account.clock.advance(timedelta(seconds=1))
    await reactivate(real_stack)
    # A look that came by in the same second may have seen it suspended; the next one decides.
    await eventually(lambda: sync(real_stack), lambda found: state_of(found[0]) == "ACTIVE")
    assert state_of(await cancel(real_stack)) == "CANCELED"
    assert not (await standing_of(real_stack)).level.good_standing


async def test_a_subscription_at_stripe_from_its_creation_to_its_end(
    real_stack: Stack, stripe_account: StripeSimulator
) -> None:
    answer = await create_subscription(real_stack, provider=STRIPE, plan_id="price_pro")
    session_id = answer.approval_url.rpartition("/")[2]

    stripe_account.account.pay(session_id)

    standing = await eventually(lambda: standing_of(real_stack), lambda it: it.level.good_standing)
    subscription = standing.deciding_subscription
    again = await create_subscription(real_stack, provider=STRIPE, plan_id="price_pro")
    assert again.subscription.provider_subscription_id == subscription.provider_subscription_id
    assert (await cancel(real_stack, at_period_end=True)).cancel_at_period_end
    assert state_of(await cancel(real_stack)) == "CANCELED"
