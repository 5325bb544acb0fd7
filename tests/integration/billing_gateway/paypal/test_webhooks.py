"""What the simulator sends is verified by what runs where money is real, whatever the switches."""

import asyncio
import json
import time
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession, encode_basic_auth
from multidict import CIMultiDict

from dev.simulators.deliveries import Event
from dev.simulators.paypal import PayPalSimulator
from services.billing_gateway.domain.observations import Ignored, Observed
from services.billing_gateway.paypal.provider import PayPalProvider
from services.billing_gateway.paypal.translation import OBSERVERS
from services.billing_gateway.ports import (
    CannotVerifyError,
    DeliveryRefusedError,
    EventIdentity,
)
from tests.integration.billing_gateway.paypal.asking import CREDENTIALS, WEBHOOK_ID
from tests.integration.billing_gateway.paypal.receiving import Delivery, Receiver


def live(paypal: PayPalSimulator) -> None:
    """Let one of everything happen that PayPal tells of."""
    account = paypal.account
    order = account.create_order("25.00", "USD", custom_id="org-1")
    account.next_captures = ["PENDING"]
    account.approve_order(order.order_id)
    account.capture_order(order.order_id)
    [capture_id] = order.capture_ids
    account.settle_capture(capture_id, completed=True)
    account.fail_refund(account.refund(capture_id, "10.00"))
    dispute_id = account.open_dispute(capture_id, reason="UNAUTHORISED")
    account.update_dispute(dispute_id)
    account.resolve_dispute(dispute_id, "RESOLVED_BUYER_FAVOUR")
    account.reverse(capture_id)
    account.revoke_approval(account.create_order("1.00", "USD").order_id)

    subscription_id = account.create_subscription("P-1", custom_id="org-1").subscription_id
    sale_id = account.approve_subscription(subscription_id)
    paypal.clock.advance(timedelta(days=30))
    account.fail_payment(subscription_id)
    account.renew(subscription_id)
    account.update(subscription_id, "P-2")
    account.refund(sale_id, "1.00")
    account.reverse(sale_id, "2.00")
    account.suspend(subscription_id)
    account.reactivate(subscription_id)
    account.cancel(subscription_id)
    other_id = account.create_subscription("P-1").subscription_id
    account.expire(other_id)


def identity_of(delivery: Delivery) -> str:
    event_id = json.loads(delivery.body)["id"]
    assert isinstance(event_id, str)
    return event_id


async def test_everything_that_happens_is_told_signed_and_understood(
    provider: PayPalProvider, paypal: PayPalSimulator, receiver: Receiver
) -> None:
    live(paypal)
    await paypal.deliveries.settle()
    assert len(receiver.deliveries) == len(paypal.events)
    now = paypal.clock.now()
    types = {each.event_id: each.event_type for each in paypal.events}
    assert set(OBSERVERS) - set(types.values()) == {
        "PAYMENT.CAPTURE.DECLINED",
        "PAYMENT.CAPTURE.DENIED",
        "PAYMENT.REFUND.PENDING",
        "PAYMENT.SALE.DENIED",
        "PAYMENT.SALE.PENDING",
    }
    for delivery in receiver.deliveries:
        await provider.verify(delivery.headers, delivery.body, now)
        event_id = identity_of(delivery)
        assert provider.identify(delivery.body) == EventIdentity(event_id, types[event_id])
        assert isinstance(provider.translate(delivery.body, now), Observed)
        with pytest.raises(DeliveryRefusedError):
            await provider.verify(delivery.headers, delivery.body + b" ", now)
    assert provider.identify(b"{}") is None
    plan = json.dumps({"id": "WH-1", "event_type": "BILLING.PLAN.CREATED"}).encode()
    assert provider.translate(plan, now) == Ignored()


async def test_without_its_certificate_nothing_can_be_told(
    provider: PayPalProvider, paypal: PayPalSimulator, receiver: Receiver
) -> None:
    live(paypal)
    await paypal.deliveries.settle()
    delivery = receiver.deliveries[0]
    headers = CIMultiDict(delivery.headers)
    headers["PAYPAL-CERT-URL"] += "0"
    with pytest.raises(CannotVerifyError):
        await provider.verify(headers, delivery.body, paypal.clock.now())


def happen(paypal: PayPalSimulator, count: int = 1) -> list[Event]:
    for _ in range(count):
        paypal.account.create_subscription("P-1")
    return paypal.events[-count:]


async def test_what_is_not_taken_is_sent_again_with_a_signature_of_its_own(
    provider: PayPalProvider, paypal: PayPalSimulator, receiver: Receiver
) -> None:
    receiver.statuses = [503, 500, 404]
    happen(paypal)
    await paypal.deliveries.settle()
    assert len(receiver.deliveries) == 4
    assert len({each.body for each in receiver.deliveries}) == 1
    ids = {each.headers["PAYPAL-TRANSMISSION-ID"] for each in receiver.deliveries}
    assert len(ids) == 4
    for each in receiver.deliveries:
        await provider.verify(each.headers, each.body, paypal.clock.now())


async def test_what_is_held_waits(paypal: PayPalSimulator, receiver: Receiver) -> None:
    paypal.deliveries.hold()
    events = happen(paypal, 3)
    await paypal.deliveries.settle()
    assert receiver.deliveries == []
    assert paypal.deliveries.held == events
    assert await paypal.deliveries.send(events[1]) == 200
    paypal.deliveries.release()
    await paypal.deliveries.settle()
    assert sorted(map(identity_of, receiver.deliveries)) == sorted(
        [events[1].event_id, *(each.event_id for each in events)]
    )


async def test_deliveries_are_repeated_lost_and_late(
    paypal: PayPalSimulator, receiver: Receiver
) -> None:
    paypal.deliveries.duplicates, paypal.deliveries.lose = 2, 1
    paypal.deliveries.delay_seconds = 0.2
    lost, kept = happen(paypal, 2)
    start = time.monotonic()
    await paypal.deliveries.settle()
    assert time.monotonic() - start >= 0.2
    assert list(map(identity_of, receiver.deliveries)) == [kept.event_id] * 3
    paypal.deliveries.lose = 1.0
    happen(paypal, 3)
    await paypal.deliveries.settle()
    assert len(receiver.deliveries) == 3
    assert lost in paypal.events


async def test_deliveries_leave_in_any_order(paypal: PayPalSimulator, receiver: Receiver) -> None:
    paypal.deliveries.reorder_window = 30
    events = happen(paypal, 29)
    await asyncio.sleep(0)
    assert receiver.deliveries == []
    await paypal.deliveries.settle()
    arrived = list(map(identity_of, receiver.deliveries))
    told = [each.event_id for each in events]
    assert sorted(arrived) == sorted(told)
    assert arrived != told


async def test_an_event_is_resent_and_verified_by_paypal(
    paypal: PayPalSimulator, receiver: Receiver
) -> None:
    [event] = happen(paypal)
    await paypal.deliveries.settle()
    async with ClientSession() as session:
        basic = encode_basic_auth(CREDENTIALS.client_id, CREDENTIALS.client_secret)
        url = f"{paypal.base_url}/v1/oauth2/token"
        async with session.post(url, headers={"Authorization": basic}) as answer:
            token = (await answer.json())["access_token"]
        allowed = {"Authorization": f"Bearer {token}"}
        notifications = f"{paypal.base_url}/v1/notifications"
        url = f"{notifications}/webhooks-events/{event.event_id}/resend"
        async with session.post(url, headers=allowed) as answer:
            assert answer.status == 202
        await paypal.deliveries.settle()
        assert list(map(identity_of, receiver.deliveries)) == [event.event_id] * 2
        headers = receiver.deliveries[0].headers
        asked = {
            name: headers[f"PAYPAL-{name.replace('_', '-').upper()}"]
            for name in ("transmission_id", "transmission_time", "transmission_sig", "auth_algo")
        }
        asked["webhook_id"] = WEBHOOK_ID
        text = json.dumps(asked)[:-1] + f', "webhook_event": {event.body.decode()}}}'
        for body, status in ((text, "SUCCESS"), (text.replace("P-1", "P-2"), "FAILURE")):
            url = f"{notifications}/verify-webhook-signature"
            async with session.post(url, headers=allowed, data=body) as answer:
                assert (await answer.json())["verification_status"] == status


async def test_what_happened_outlives_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    def open_paypal() -> PayPalSimulator:
        return PayPalSimulator(
            client_id=CREDENTIALS.client_id,
            client_secret=CREDENTIALS.client_secret,
            webhook_id=WEBHOOK_ID,
            webhook_url=receiver.url,
            state_file=tmp_path / "paypal.json",
        )

    first = open_paypal()
    live(first)
    order = first.account.create_order("1.00", "USD")
    await first.stop()
    second = open_paypal()
    assert second.account.books == first.account.books
    assert second.account.order(order.order_id) == order
    assert second.root_certificate_pem == first.root_certificate_pem
    await second.stop()
