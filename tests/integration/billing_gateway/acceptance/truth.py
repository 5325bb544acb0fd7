"""What is so at the providers, by their own books, and what is believed otherwise."""

from decimal import Decimal

from tests.integration.billing_gateway.acceptance.organization import Organization
from tests.integration.billing_gateway.checkouts_asked import PAYPAL, STRIPE, payment_of
from tests.integration.billing_gateway.subscriptions_told import standing_of
from tollgate.billing_gateway.v1 import subscription_pb2

# How a subscription stands, by its status at the provider.
STATES = {
    "ACTIVE": "ACTIVE",
    "SUSPENDED": "SUSPENDED",
    "CANCELLED": "CANCELED",
    "EXPIRED": "CANCELED",
    "active": "ACTIVE",
    "past_due": "PAST_DUE",
    "unpaid": "SUSPENDED",
    "paused": "SUSPENDED",
    "canceled": "CANCELED",
}
MICROS = 1_000_000
CENT = 10_000


async def errors_of(it: Organization) -> list[str]:
    """Return what is believed of an organization's money and subscriptions, and is not so."""
    return [*await _subscription_errors(it), *await _payment_errors(it)]


async def _subscription_errors(it: Organization) -> list[str]:
    errors = []
    for each in (await standing_of(it.stack, it.organization_id)).subscriptions:
        truth = _state_of(it, each.provider_subscription_id)
        state = subscription_pb2.SubscriptionState.Name(each.state)
        if state != f"SUBSCRIPTION_STATE_{truth}":
            errors.append(f"{it.organization_id}: what is {truth} is believed to be {state}")
    return errors


def _state_of(it: Organization, subscription_id: str) -> str:
    stripes = it.providers.stripe.account.books.subscriptions.get(subscription_id)
    if stripes is not None:
        return STATES[stripes.status]
    paypals = it.providers.paypal.account.subscription(subscription_id)
    # It stays ACTIVE while PayPal cannot collect; what failed before a suspension is over.
    failure = paypals.last_failure if paypals.failed_count else None
    has_failed = failure is not None and failure.time >= paypals.status_update_time
    return "PAST_DUE" if has_failed and paypals.status == "ACTIVE" else STATES[paypals.status]


async def _payment_errors(it: Organization) -> list[str]:
    gone = {
        **{(PAYPAL, each): _gone_at_paypal(it, each) for each in it.paypal.payments},
        **{(STRIPE, each): _gone_at_stripe(it, each) for each in it.stripe.payments},
    }
    errors = []
    for (provider, object_id), truth in gone.items():
        payment = await payment_of(it.stack, object_id, provider)
        believed = payment.credited_micros, payment.reversed_micros
        if believed != (payment.paid_micros, min(truth, payment.paid_micros)):
            errors.append(f"{it.organization_id}: {believed} of {object_id}, {truth} are gone")
    return errors


def _gone_at_paypal(it: Organization, payment_id: str) -> int:
    account = it.providers.paypal.account
    refunds = [account.a_refund(each) for each in account.payment(payment_id).refund_ids]
    taken = [Decimal(each.amount) for each in refunds if each.status != "FAILED"]
    return int(sum(taken) * MICROS)


def _gone_at_stripe(it: Organization, intent_id: str) -> int:
    books = it.providers.stripe.account.books
    refunds = [each for each in books.refunds.values() if each.intent_id == intent_id]
    disputes = [each for each in books.disputes.values() if each.intent_id == intent_id]
    refunded = sum(each.amount for each in refunds if each.status == "succeeded")
    taken = sum(each.amount for each in disputes if sum(each.moved) < 0 or each.status == "lost")
    return (refunded + taken) * CENT
