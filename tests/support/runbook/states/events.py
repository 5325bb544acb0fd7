"""Webhook events that are not settled, and those that do not come."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from dev.simulators.faults import Unavailable
from dev.simulators.stripe.objects import Session
from services.billing_gateway.domain.values import Provider
from tests.support.runbook.site import STRIPE, Customer, Site
from tests.support.runbook.situation import Situation, State
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_payments_pb2,
    billing_gateway_service_pb2,
    payment_pb2,
    webhook_event_pb2,
)

EURO_PLAN = "price_in_euros"
BREAK = """
CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql
AS $$BEGIN RAISE EXCEPTION 'a defect'; END$$;
CREATE TRIGGER break BEFORE UPDATE ON subscriptions FOR EACH ROW EXECUTE FUNCTION break()
"""
MEND = "DROP FUNCTION IF EXISTS break() CASCADE"
BACKDATE = """
UPDATE webhook_events SET receive_time = receive_time - interval '2 hours' WHERE event_id = $1
"""


async def event_of(site: Site, event_id: str) -> webhook_event_pb2.WebhookEvent:
    """Return an event as the gateway has it."""
    request = billing_gateway_service_pb2.GetWebhookEventRequest(provider=STRIPE, event_id=event_id)
    event: webhook_event_pb2.WebhookEvent = (
        await site.ask("billing_gateway").GetWebhookEvent(request)
    ).event
    return event


async def require_state(
    site: Site, event_id: str, state: webhook_event_pb2.WebhookEventState.ValueType
) -> None:
    """Wait until an event has come to a state."""
    await eventually(lambda: event_of(site, event_id), lambda it: it.state == state)


@asynccontextmanager
async def waiting(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """An event meets a defect and is tried ever more seldom; the defect is mended meanwhile."""
    account, held = site.stripe.account, site.stripe.deliveries.held
    account.set_cancel_at_period_end(customer.subscription_id, ends=True)
    account.set_cancel_at_period_end(customer.subscription_id, ends=False)
    held[:] = [event := held[-1]]

    async def mend() -> None:
        await site.tamper("billing_gateway", MEND)

    await site.tamper("billing_gateway", BREAK)
    try:
        await site.tell()
        await eventually(lambda: event_of(site, event.event_id), lambda it: it.last_error != "")
        await site.tamper("billing_gateway", BACKDATE, event.event_id)
        yield Situation(words={"evt_1": event.event_id}, before_step=mend, before={1: mend})
    finally:
        await mend()


@asynccontextmanager
async def dead(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """The customer has a plan that is set up in another currency than it is paid in."""
    before = site.stack.gateway_settings
    euros = {EURO_PLAN: {"allowance_micros": 1_000_000, "currency_code": "EUR"}}
    await restart_with(site, {**before, "plan_credits": euros})
    site.stripe.account.subscribe(EURO_PLAN, customer_id=customer.customer_id)
    event = site.told_as("invoice.paid")
    await site.tell("customer.subscription.created", event.event_type)
    site.tell_nothing()
    await require_state(site, event.event_id, webhook_event_pb2.WEBHOOK_EVENT_STATE_DEAD)

    async def mend() -> None:
        await restart_with(site, before)

    try:
        yield Situation(words={"evt_1": event.event_id}, before_step=mend, before={1: mend})
    finally:
        await mend()


async def restart_with(site: Site, settings: Mapping[str, object]) -> None:
    """Let the gateway run with other settings from now on, if they are others."""
    if site.stack.gateway_settings != settings:
        await site.stack.stop("billing_gateway")
        site.stack.gateway_settings = settings
        await site.stack.start("billing_gateway")


@asynccontextmanager
async def parked(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """Somebody subscribes, and nobody says for hours who that is."""
    stranger = site.subscribe("stranger")
    event = site.told_as("customer.subscription.created")
    await site.tell()
    await require_state(site, event.event_id, webhook_event_pb2.WEBHOOK_EVENT_STATE_PARKED)
    await site.tamper("billing_gateway", BACKDATE, event.event_id)
    yield Situation(words={"evt_1": event.event_id}, before={1: lambda: site.link(stranger)})


@asynccontextmanager
async def money_of_nobody(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """Somebody pays by a page that Tollgate did not make, and nobody knows for whom."""
    session = Session(created=site.stripe.clock.now(), mode="payment", amount=1_000)
    site.stripe.account.open_session(session)
    site.stripe.account.pay(session.id)
    await site.tell()
    await require_parked(site, session.intent_id)
    yield Situation(words={"pi_1": session.intent_id})
    await eventually(
        lambda: payments_with(site, session.intent_id),
        lambda found: all(each.acknowledged_revision == 1 for each in found),
    )


async def payments_with(site: Site, object_id: str) -> list[payment_pb2.Payment]:
    """Return what was paid, by an object of the provider's."""
    request = billing_gateway_service_payments_pb2.ListPaymentsRequest(provider_object_id=object_id)
    return [*(await site.ask("billing_gateway").ListPayments(request)).payments]


async def require_parked(site: Site, object_id: str) -> None:
    """Wait until it is known that something was paid, and not for whom."""
    parked = payment_pb2.PAYMENT_STATE_PARKED
    await eventually(
        lambda: payments_with(site, object_id),
        lambda found: any(each.state == parked for each in found),
    )


@asynccontextmanager
async def paid_for_unlinked(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """A payment was assigned to the customer, and the subscription that it is for was not."""
    stranger = site.subscribe("stranger")
    await site.tell("customer.subscription.created", "invoice.paid")
    site.tell_nothing()
    await require_parked(site, stranger.invoice_id)
    await site.ask("billing_gateway").AssignPayment(
        billing_gateway_service_payments_pb2.AssignPaymentRequest(
            provider=STRIPE,
            payment_id=stranger.invoice_id,
            organization_id=customer.organization_id,
            note="an invoice was sent by mail",
        )
    )
    linked = stranger.of(customer.organization_id)
    yield Situation(ends_by=lambda: site.link(linked))


@asynccontextmanager
async def wrongly_signed(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """Somebody else tells what Stripe would tell."""
    for number in range(8):
        headers = {"Stripe-Signature": f"t={int(time.time())},v1=00"}.items()
        body = f'{{"id": "evt_forged_{number}", "type": "invoice.paid"}}'.encode()
        assert await site.stack.post_to(Provider.STRIPE, body, headers) == 400
    yield Situation()


@asynccontextmanager
async def silent(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """Nothing has come for days."""
    await site.tamper(
        "billing_gateway",
        "UPDATE webhook_events SET receive_time = receive_time - interval '3 days'",
    )

    async def redeliver() -> None:
        site.stripe.account.renew(customer.subscription_id)
        await site.tell()

    yield Situation(ends_by=redeliver)


@asynccontextmanager
async def unasked(site: Site, customer: Customer) -> AsyncIterator[Situation]:
    """Stripe hears of the gateway, and does not answer."""

    async def answer_again() -> None:
        site.stripe.faults.clear()

    site.stripe.faults.set(Unavailable())
    try:
        yield Situation(ends_by=answer_again)
    finally:
        site.stripe.faults.clear()


STATES = {
    "payment-parked": State(money_of_nobody),
    "events-parked": State(parked, alert="EVENTS_PARKED"),
    "events-dead": State(dead, finding="EVENT_DEAD", alert="EVENTS_DEAD"),
    "inbox-lag": State(waiting, finding="EVENT_WAITING", alert="INBOX_LAG"),
    "signature-failures": State(wrongly_signed, alert="SIGNATURE_FAILURES", alert_lasts=True),
    "webhooks-missing": State(silent, alert="WEBHOOKS_MISSING", looks=True),
    "provider-calls-failing": State(
        unasked, finding="PROVIDER_CALLS_FAILING", shows='"provider_error"', looks=True
    ),
}
