"""Subscriptions that are not paid, not known, or known otherwise by their provider."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from tests.support.runbook.site import Customer, Site
from tests.support.runbook.situation import Situation, State, only
from tests.support.runbook.states.events import require_state
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_subscriptions_pb2,
    webhook_event_pb2,
)
from tollgate.wallet.v1 import wallet_service_pb2

OPERATOR_NOTE = "card is being replaced"


def fail_renewal(site: Site, customer: Customer) -> str:
    """Let the next period not be paid, which nobody hears of yet; return the invoice."""
    return site.stripe.account.fail_renewal(customer.subscription_id)


async def grant_grace(site: Site, customer: Customer, until: datetime) -> None:
    """Let an operator bear with the customer."""
    ends = Timestamp()
    ends.FromDatetime(until)
    await site.ask("billing_gateway").GrantGrace(
        billing_gateway_service_subscriptions_pb2.GrantGraceRequest(
            organization_id=customer.organization_id, until=ends, note=OPERATOR_NOTE
        )
    )


@asynccontextmanager
async def past_due(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """The customer's card was declined."""
    invoice_id = fail_renewal(site, customer)
    await site.tell()
    await site.reach(customer.organization_id, lambda codes: "SUBSCRIPTION_INACTIVE" in codes)

    async def settle() -> None:
        if site.stripe.account.invoice(invoice_id).status == "open":
            site.stripe.account.pay_invoice(invoice_id)
            await site.tell()
        await grant_grace(site, customer, datetime.now(UTC))

    yield Situation(ends_by=settle, tidy=settle)


@asynccontextmanager
async def borne(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """And an operator lets it send in spite of that."""
    async with past_due(site, customer) as situation:
        await grant_grace(site, customer, datetime.now(UTC) + timedelta(days=1))
        yield situation


@asynccontextmanager
async def seen_otherwise(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """It was past due, and is paid; but nobody has told that."""
    async with past_due(site, customer):
        account = site.stripe.account
        account.pay_invoice(account.subscription(customer.subscription_id).latest_invoice_id)
        site.tell_nothing()
        yield Situation()


@asynccontextmanager
async def not_renewed(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """Its period has ended two hours ago, and the provider has not charged it yet."""
    subscription = site.stripe.account.subscription(customer.subscription_id)
    ahead = subscription.period_end
    subscription.period_end = datetime.now(UTC) - timedelta(hours=2)
    site.stripe.account.tell("customer.subscription.updated", subscription)
    await site.tell()

    async def renew() -> None:
        subscription.period_end = ahead
        site.stripe.account.tell("customer.subscription.updated", subscription)
        await site.tell()

    yield Situation(ends_by=renew)


@asynccontextmanager
async def not_linked(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """Somebody has subscribed, and nobody has said who that is."""
    created = site.told_as("customer.subscription.created")
    await site.tell()
    await require_state(site, created.event_id, webhook_event_pb2.WEBHOOK_EVENT_STATE_PARKED)
    await site.ask("wallet", "platform").CreateWallet(
        wallet_service_pb2.CreateWalletRequest(
            organization_id=customer.organization_id, currency_code="USD"
        )
    )
    yield Situation(ends_by=lambda: site.link(customer))


STATES = {
    "subscription-inactive": State(
        past_due,
        finding="SUBSCRIPTION_INACTIVE",
        shows="SUBSCRIPTION_STATE_PAST_DUE",
        left=only("SUBSCRIPTION_INACTIVE"),
    ),
    "operator-grace": State(
        borne, finding="OPERATOR_GRACE", shows=OPERATOR_NOTE, left=only("OPERATOR_GRACE")
    ),
    "subscription-differs": State(seen_otherwise, finding="SUBSCRIPTION_DIFFERS"),
    "webhook-missing": State(
        not_renewed, finding="WEBHOOK_MISSING", shows='"current_period_end_time"', looks=True
    ),
    "subscription-missing": State(
        not_linked,
        finding="SUBSCRIPTION_MISSING",
        shows='"provider_object_ids"',
        left=only("SUBSCRIPTION_MISSING"),
        sends=False,
    ),
}
