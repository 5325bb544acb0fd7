"""What may happen to one organization at both providers, one verb after the other."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from dev.simulators.paypal.errors import PayPalError
from dev.simulators.stripe.errors import StripeError
from tests.integration.billing_gateway.checkouts_asked import (
    STRIPE,
    create_subscription,
    create_top_up,
)
from tests.support.stack import Stack
from tests.support.two_providers import PLAN, Told, TwoProviders

# So long ago a story begins, and so long each of its verbs takes.
BEGIN = timedelta(days=40)
STEP = timedelta(days=1)


@dataclass
class Organization:
    """One organization, and what it has at the providers, the newest last."""

    organization_id: str
    stack: Stack
    providers: TwoProviders
    captures: list[str] = field(default_factory=list)
    intents: list[str] = field(default_factory=list)
    refunds: list[str] = field(default_factory=list)
    disputes: list[str] = field(default_factory=list)
    paypal_subscriptions: list[str] = field(default_factory=list)
    stripe_subscriptions: list[str] = field(default_factory=list)
    unpaid_invoices: list[str] = field(default_factory=list)
    wish_count: int = 0

    def next_reference(self) -> str:
        """Return a reference that no checkout has yet."""
        self.wish_count += 1
        return f"wish-{self.wish_count}"


async def top_up_by_paypal(it: Organization) -> None:
    answer = await create_top_up(
        it.stack, organization_id=it.organization_id, reference_id=it.next_reference()
    )
    account = it.providers.paypal.account
    order_id = answer.payment.payment_id.removeprefix("paypal:")
    account.approve_order(order_id)
    it.captures += account.capture_order(order_id).capture_ids


async def top_up_by_stripe(it: Organization) -> None:
    answer = await create_top_up(
        it.stack,
        organization_id=it.organization_id,
        reference_id=it.next_reference(),
        provider=STRIPE,
    )
    account = it.providers.stripe.account
    session_id = answer.payment.payment_id.removeprefix("stripe:")
    account.pay(session_id)
    it.intents.append(account.session(session_id).intent_id)


async def subscribe_by_paypal(it: Organization) -> None:
    answer = await create_subscription(
        it.stack,
        organization_id=it.organization_id,
        reference_id=it.next_reference(),
        plan_id=PLAN,
    )
    subscription_id = answer.subscription.provider_subscription_id
    it.captures.append(it.providers.paypal.account.approve_subscription(subscription_id))
    it.paypal_subscriptions.append(subscription_id)


async def subscribe_by_stripe(it: Organization) -> None:
    answer = await create_subscription(
        it.stack,
        organization_id=it.organization_id,
        reference_id=it.next_reference(),
        provider=STRIPE,
        plan_id="price_pro",
    )
    account = it.providers.stripe.account
    session_id = answer.approval_url.rpartition("/")[2]
    account.pay(session_id)
    it.stripe_subscriptions.append(account.session(session_id).subscription_id)


async def renew_by_paypal(it: Organization) -> None:
    it.captures.append(it.providers.paypal.account.renew(it.paypal_subscriptions[-1]))


async def renew_by_stripe(it: Organization) -> None:
    it.providers.stripe.account.renew(it.stripe_subscriptions[-1])


async def fail_by_paypal(it: Organization) -> None:
    it.providers.paypal.account.fail_payment(it.paypal_subscriptions[-1])


async def fail_by_stripe(it: Organization) -> None:
    account = it.providers.stripe.account
    it.unpaid_invoices.append(account.fail_renewal(it.stripe_subscriptions[-1]))


async def pay_up_by_stripe(it: Organization) -> None:
    it.providers.stripe.account.pay_invoice(it.unpaid_invoices[-1])


async def suspend_by_paypal(it: Organization) -> None:
    it.providers.paypal.account.suspend(it.paypal_subscriptions[-1])


async def reactivate_by_paypal(it: Organization) -> None:
    it.providers.paypal.account.reactivate(it.paypal_subscriptions[-1])


async def cancel_by_paypal(it: Organization) -> None:
    it.providers.paypal.account.cancel(it.paypal_subscriptions[-1])


async def end_later_by_stripe(it: Organization) -> None:
    it.providers.stripe.account.set_cancel_at_period_end(it.stripe_subscriptions[-1], ends=True)


async def cancel_by_stripe(it: Organization) -> None:
    it.providers.stripe.account.cancel(it.stripe_subscriptions[-1])


async def refund_a_part_by_paypal(it: Organization) -> None:
    it.refunds.append(it.providers.paypal.account.refund(it.captures[-1], "5.00"))


async def refund_a_part_by_stripe(it: Organization) -> None:
    it.refunds.append(it.providers.stripe.account.refund(it.intents[-1], 1_000))


async def fail_a_refund(it: Organization) -> None:
    account = it.providers.stripe.account if it.refunds[-1].startswith("re_") else None
    (account or it.providers.paypal.account).fail_refund(it.refunds[-1])


async def reverse_by_paypal(it: Organization) -> None:
    it.providers.paypal.account.reverse(it.captures[-1], "2.00")


async def dispute_by_paypal(it: Organization) -> None:
    it.disputes.append(it.providers.paypal.account.open_dispute(it.captures[-1]))


async def dispute_by_stripe(it: Organization) -> None:
    account = it.providers.stripe.account
    it.disputes.append(account.open_dispute(it.intents[-1]))
    account.withdraw(it.disputes[-1])


async def win_a_dispute(it: Organization) -> None:
    dispute_id = it.disputes.pop()
    if dispute_id.startswith("PP-"):
        paypal = it.providers.paypal.account
        paypal.resolve_dispute(dispute_id, "RESOLVED_SELLER_FAVOUR")
    else:
        it.providers.stripe.account.reinstate(dispute_id)
        it.providers.stripe.account.close_dispute(dispute_id, "won")


async def lose_a_dispute(it: Organization) -> None:
    dispute_id = it.disputes.pop()
    if dispute_id.startswith("PP-"):
        paypal = it.providers.paypal.account
        paypal.resolve_dispute(dispute_id, "RESOLVED_BUYER_FAVOUR")
    else:
        it.providers.stripe.account.close_dispute(dispute_id, "lost")


async def warn_by_stripe(it: Organization) -> None:
    it.providers.stripe.account.warn(it.intents[-1])


Verb = Callable[[Organization], Awaitable[None]]

VERBS: tuple[Verb, ...] = (
    top_up_by_paypal,
    top_up_by_stripe,
    subscribe_by_paypal,
    subscribe_by_stripe,
    renew_by_paypal,
    renew_by_stripe,
    fail_by_paypal,
    fail_by_stripe,
    pay_up_by_stripe,
    suspend_by_paypal,
    reactivate_by_paypal,
    cancel_by_paypal,
    end_later_by_stripe,
    cancel_by_stripe,
    refund_a_part_by_paypal,
    refund_a_part_by_stripe,
    fail_a_refund,
    reverse_by_paypal,
    dispute_by_paypal,
    dispute_by_stripe,
    win_a_dispute,
    lose_a_dispute,
    warn_by_stripe,
)

# From the first payment to a switch of provider, with everything that may go back.
WHOLE_STORY: tuple[Verb, ...] = (
    top_up_by_paypal,
    refund_a_part_by_paypal,
    refund_a_part_by_paypal,
    fail_a_refund,
    subscribe_by_paypal,
    renew_by_paypal,
    fail_by_paypal,
    dispute_by_paypal,
    win_a_dispute,
    reverse_by_paypal,
    suspend_by_paypal,
    reactivate_by_paypal,
    cancel_by_paypal,
    subscribe_by_stripe,
    fail_by_stripe,
    pay_up_by_stripe,
    renew_by_stripe,
    top_up_by_stripe,
    refund_a_part_by_stripe,
    dispute_by_stripe,
    win_a_dispute,
    refund_a_part_by_stripe,
    fail_a_refund,
    warn_by_stripe,
    end_later_by_stripe,
)


async def play(it: Organization, story: Sequence[Verb]) -> list[Told]:
    """Let a story happen, and return everything that is to be told of it, in order.

    What cannot happen there, such as the refund of nothing, does not.
    """
    told: list[Told] = []
    it.providers.set_time(datetime.now(UTC) - BEGIN)
    for verb in story:
        with suppress(PayPalError, StripeError, IndexError):
            await verb(it)
        told += it.providers.take_told()
        it.providers.advance(STEP)
    it.providers.set_time(datetime.now(UTC))
    return told
