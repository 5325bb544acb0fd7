"""What may happen to an organization at Stripe."""

from dev.simulators.stripe.verbs import StripeAccount
from tests.integration.billing_gateway.acceptance.organization import Organization, Verb
from tests.integration.billing_gateway.checkouts_asked import (
    STRIPE,
    create_subscription,
    create_top_up,
)
from tollgate.billing_gateway.v1 import billing_gateway_service_pb2

PRICE = "price_pro"


async def _session(it: Organization) -> str:
    answer = await create_top_up(
        it.stack,
        organization_id=it.organization_id,
        reference_id=it.next_reference(),
        provider=STRIPE,
    )
    return answer.payment.payment_id.removeprefix("stripe:")


async def top_up(it: Organization) -> None:
    session_id = await _session(it)
    _account(it).pay(session_id)
    it.stripe.payments.append(_account(it).session(session_id).intent_id)


async def top_up_by_bank(it: Organization) -> None:
    """The money comes in days, or does not."""
    it.stripe.awaited.append(await _session(it))
    _account(it).pay_later(it.stripe.awaited[-1])


async def let_it_come(it: Organization) -> None:
    session_id = it.stripe.awaited.pop()
    _account(it).settle(session_id, succeeds=True)
    it.stripe.payments.append(_account(it).session(session_id).intent_id)


async def refuse_it(it: Organization) -> None:
    _account(it).settle(it.stripe.awaited.pop(), succeeds=False)


async def let_a_session_expire(it: Organization) -> None:
    _account(it).expire(await _session(it))


async def subscribe(it: Organization) -> None:
    answer = await create_subscription(
        it.stack,
        organization_id=it.organization_id,
        reference_id=it.next_reference(),
        provider=STRIPE,
        plan_id=PRICE,
    )
    session_id = answer.approval_url.rpartition("/")[2]
    _account(it).pay(session_id)
    it.stripe.subscriptions.append(_account(it).session(session_id).subscription_id)
    _note_payment(it, _account(it).session(session_id).invoice_id)


async def subscribe_elsewhere(it: Organization) -> None:
    """Not by Tollgate, who is told whose it is."""
    subscription_id = _account(it).subscribe(PRICE)
    subscription = _account(it).subscription(subscription_id)
    it.stripe.subscriptions.append(subscription_id)
    _note_payment(it, subscription.latest_invoice_id)
    request = billing_gateway_service_pb2.LinkSubscriptionRequest(
        organization_id=it.organization_id,
        provider=STRIPE,
        provider_subscription_id=subscription_id,
        plan_id="linked",
        provider_customer_id=subscription.customer_id,
    )
    await it.stack.gateway.LinkSubscription(request)


async def renew(it: Organization) -> None:
    _note_payment(it, _account(it).renew(it.stripe.subscriptions[-1]))


async def fail_to_pay(it: Organization) -> None:
    it.stripe.unpaid_invoices.append(_account(it).fail_renewal(it.stripe.subscriptions[-1]))


async def pay_up(it: Organization) -> None:
    invoice_id = it.stripe.unpaid_invoices.pop()
    _account(it).pay_invoice(invoice_id)
    _note_payment(it, invoice_id)


async def stay_unpaid(it: Organization) -> None:
    _account(it).give_up(it.stripe.subscriptions[-1])


async def pause(it: Organization) -> None:
    _account(it).pause(it.stripe.subscriptions[-1])


async def resume(it: Organization) -> None:
    _account(it).resume(it.stripe.subscriptions[-1])


async def end_later(it: Organization) -> None:
    _account(it).set_cancel_at_period_end(it.stripe.subscriptions[-1], ends=True)


async def stay_after_all(it: Organization) -> None:
    _account(it).set_cancel_at_period_end(it.stripe.subscriptions[-1], ends=False)


async def come_to_the_periods_end(it: Organization) -> None:
    _account(it).end_period(it.stripe.subscriptions[-1])


async def cancel(it: Organization) -> None:
    _account(it).cancel(it.stripe.subscriptions[-1])


async def refund_a_part(it: Organization) -> None:
    it.stripe.refunds.append(_account(it).refund(it.stripe.payments[-1], 500))


async def refund_a_part_later(it: Organization) -> None:
    it.stripe.refunds.append(_account(it).refund(it.stripe.payments[-1], 300, status="pending"))


async def let_a_refund_arrive(it: Organization) -> None:
    _account(it).complete_refund(it.stripe.refunds[-1])


async def refund_the_rest(it: Organization) -> None:
    it.stripe.refunds.append(_account(it).refund(it.stripe.payments[-1]))


async def fail_a_refund(it: Organization) -> None:
    _account(it).fail_refund(it.stripe.refunds.pop())


async def dispute(it: Organization) -> None:
    it.stripe.disputes.append(_account(it).open_dispute(it.stripe.payments[-1]))
    _account(it).withdraw(it.stripe.disputes[-1])


async def inquire(it: Organization) -> None:
    it.stripe.disputes.append(
        _account(it).open_dispute(it.stripe.payments[-1], 400, is_inquiry=True)
    )


async def close_an_inquiry(it: Organization) -> None:
    if _account(it).dispute(it.stripe.disputes[-1]).status.startswith("warning"):
        _account(it).close_dispute(it.stripe.disputes.pop(), "warning_closed")


async def win_a_dispute(it: Organization) -> None:
    dispute_id = it.stripe.disputes.pop()
    if _account(it).dispute(dispute_id).moved:
        _account(it).reinstate(dispute_id)
    _account(it).close_dispute(dispute_id, "won")


async def lose_a_dispute(it: Organization) -> None:
    _account(it).close_dispute(it.stripe.disputes.pop(), "lost")


async def warn(it: Organization) -> None:
    it.stripe.warnings.append(_account(it).warn(it.stripe.payments[-1]))


async def end_a_warning(it: Organization) -> None:
    _account(it).end_warning(it.stripe.warnings.pop())


VERBS: tuple[Verb, ...] = (
    top_up,
    top_up_by_bank,
    let_it_come,
    refuse_it,
    let_a_session_expire,
    subscribe,
    subscribe_elsewhere,
    renew,
    fail_to_pay,
    pay_up,
    stay_unpaid,
    pause,
    resume,
    end_later,
    stay_after_all,
    come_to_the_periods_end,
    cancel,
    refund_a_part,
    refund_a_part_later,
    let_a_refund_arrive,
    refund_the_rest,
    fail_a_refund,
    dispute,
    inquire,
    close_an_inquiry,
    win_a_dispute,
    lose_a_dispute,
    warn,
    end_a_warning,
)


def _account(it: Organization) -> StripeAccount:
    return it.providers.stripe.account


def _note_payment(it: Organization, invoice_id: str) -> None:
    it.stripe.payments.append(_account(it).invoice(invoice_id).intent_id)
