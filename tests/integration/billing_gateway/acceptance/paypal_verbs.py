"""What may happen to an organization at PayPal."""

from contextlib import suppress

from dev.simulators.paypal.account import Account
from dev.simulators.paypal.errors import PayPalError
from tests.integration.billing_gateway.acceptance.organization import Organization, Verb
from tests.integration.billing_gateway.checkouts_asked import (
    PAYPAL,
    create_subscription,
    create_top_up,
)
from tests.support.two_providers import PLAN
from tollgate.billing_gateway.v1 import billing_gateway_service_pb2


async def _approved_order(it: Organization) -> str:
    answer = await create_top_up(
        it.stack, organization_id=it.organization_id, reference_id=it.next_reference()
    )
    order_id = answer.payment.payment_id.removeprefix("paypal:")
    _account(it).approve_order(order_id)
    return order_id


async def top_up(it: Organization) -> None:
    order_id = await _approved_order(it)
    it.paypal.payments += _account(it).capture_order(order_id).capture_ids


async def top_up_later(it: Organization) -> None:
    """The capture is looked at by PayPal before its money comes."""
    order_id = await _approved_order(it)
    _account(it).next_captures.append("PENDING")
    it.paypal.awaited += _account(it).capture_order(order_id).capture_ids


async def let_it_come(it: Organization) -> None:
    it.paypal.payments.append(it.paypal.awaited.pop())
    _account(it).settle_capture(it.paypal.payments[-1], completed=True)


async def deny_it(it: Organization) -> None:
    _account(it).settle_capture(it.paypal.awaited.pop(), completed=False)


async def top_up_at_the_second_try(it: Organization) -> None:
    """The customer's first means of payment is declined."""
    order_id = await _approved_order(it)
    _account(it).decline_next_capture()
    with suppress(PayPalError):
        _account(it).capture_order(order_id)
    _account(it).approve_order(order_id)
    it.paypal.payments += _account(it).capture_order(order_id).capture_ids[-1:]


async def leave_an_approval(it: Organization) -> None:
    """The gateway itself takes the money, when it hears of it."""
    if not it.left_order:
        it.left_order = await _approved_order(it)


async def pay_without_a_word(it: Organization) -> None:
    """Nothing tells whose it is."""
    order = _account(it).create_order("7.00", "USD")
    _account(it).approve_order(order.order_id)
    it.paypal.payments += _account(it).capture_order(order.order_id).capture_ids
    it.unclaimed.append((PAYPAL, f"paypal:{it.paypal.payments[-1]}"))


async def subscribe(it: Organization) -> None:
    answer = await create_subscription(
        it.stack,
        organization_id=it.organization_id,
        reference_id=it.next_reference(),
        plan_id=PLAN,
    )
    subscription_id = answer.subscription.provider_subscription_id
    it.paypal.payments.append(_account(it).approve_subscription(subscription_id))
    it.paypal.subscriptions.append(subscription_id)


async def subscribe_elsewhere(it: Organization) -> None:
    """Not by Tollgate, who is told whose it is."""
    subscription_id = _account(it).create_subscription(PLAN).subscription_id
    it.paypal.payments.append(_account(it).approve_subscription(subscription_id))
    it.paypal.subscriptions.append(subscription_id)
    request = billing_gateway_service_pb2.LinkSubscriptionRequest(
        organization_id=it.organization_id,
        provider=PAYPAL,
        provider_subscription_id=subscription_id,
        plan_id="linked",
    )
    await it.stack.gateway.LinkSubscription(request)


async def renew(it: Organization) -> None:
    it.paypal.payments.append(_account(it).renew(it.paypal.subscriptions[-1]))


async def fail_to_pay(it: Organization) -> None:
    _account(it).fail_payment(it.paypal.subscriptions[-1])


async def suspend(it: Organization) -> None:
    _account(it).suspend(it.paypal.subscriptions[-1])


async def reactivate(it: Organization) -> None:
    _account(it).reactivate(it.paypal.subscriptions[-1])


async def cancel(it: Organization) -> None:
    _account(it).cancel(it.paypal.subscriptions[-1])


async def expire(it: Organization) -> None:
    _account(it).expire(it.paypal.subscriptions[-1])


async def refund_a_part(it: Organization) -> None:
    it.paypal.refunds.append(_account(it).refund(it.paypal.payments[-1], "5.00"))


async def refund_the_rest(it: Organization) -> None:
    it.paypal.refunds.append(_account(it).refund(it.paypal.payments[-1]))


async def fail_a_refund(it: Organization) -> None:
    _account(it).fail_refund(it.paypal.refunds.pop())


async def reverse(it: Organization) -> None:
    _account(it).reverse(it.paypal.payments[-1], "2.00")


async def dispute(it: Organization) -> None:
    it.paypal.disputes.append(_account(it).open_dispute(it.paypal.payments[-1]))


async def dispute_as_stolen(it: Organization) -> None:
    payment_id, reason = it.paypal.payments[-1], "UNAUTHORISED"
    it.paypal.disputes.append(_account(it).open_dispute(payment_id, "3.00", reason))


async def go_on_with_a_dispute(it: Organization) -> None:
    _account(it).update_dispute(it.paypal.disputes[-1])


async def win_a_dispute(it: Organization) -> None:
    _account(it).resolve_dispute(it.paypal.disputes.pop(), "RESOLVED_SELLER_FAVOUR")


async def lose_a_dispute(it: Organization) -> None:
    """What is left of its money goes."""
    dispute_id = it.paypal.disputes.pop()
    disputed = _account(it).books.disputes[dispute_id].payment_id
    _account(it).resolve_dispute(dispute_id, "RESOLVED_BUYER_FAVOUR")
    _account(it).reverse(disputed)


VERBS: tuple[Verb, ...] = (
    top_up,
    top_up_later,
    let_it_come,
    deny_it,
    top_up_at_the_second_try,
    leave_an_approval,
    pay_without_a_word,
    subscribe,
    subscribe_elsewhere,
    renew,
    fail_to_pay,
    suspend,
    reactivate,
    cancel,
    expire,
    refund_a_part,
    refund_the_rest,
    fail_a_refund,
    reverse,
    dispute,
    dispute_as_stolen,
    go_on_with_a_dispute,
    win_a_dispute,
    lose_a_dispute,
)


def _account(it: Organization) -> Account:
    return it.providers.paypal.account
