"""Deliveries over HTTP: what is kept, what is refused, and what each is answered."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest
from structlog.testing import capture_logs

from dev.stripe_simulator import Customer, signature_header, to_body, top_up_event
from services.billing_gateway import bodies
from tests.integration.billing_gateway.requests import (
    DEAD,
    DONE,
    IGNORED,
    PARKED,
    events_of,
    link,
    payment_of,
    settled,
)
from tests.support.errors import refusal
from tests.support.services import free_address
from tests.support.sights import wallet_of
from tests.support.stack import STRIPE_SECRET, Stack, now
from tests.support.waiting import eventually, let_time_pass
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_pb2,
    provider_pb2,
)
from tollgate.wallet.v1 import wallet_service_pb2

CUSTOMER = Customer("org-1")
DELIVERIES = 200
COME_AGAIN_SECONDS = 0.05
OLD = int((now() - timedelta(days=200)).timestamp())


async def test_one_webhook_delivered_200_times_at_once_credits_once(stack: Stack) -> None:
    body = to_body(top_up_event(CUSTOMER, 2_500, now()))
    signature = signature_header(body, STRIPE_SECRET)

    statuses = await asyncio.gather(*(stack.post(body, signature) for _ in range(DELIVERIES)))

    assert Counter(statuses) == {200: DELIVERIES}
    wallet = await eventually(lambda: wallet_of(stack, "org-1"), lambda it: it.balance_micros > 0)
    assert wallet.balance_micros == 25_000_000
    assert wallet.entry_count == 1
    assert len(await events_of(stack)) == 1


def other_body(body: bytes) -> bytes:
    return body.replace(b"2500", b"9500")


async def test_a_delivery_that_is_not_stripes_is_refused_and_not_kept(stack: Stack) -> None:
    body = to_body(top_up_event(CUSTOMER, 2_500, now()))
    good = signature_header(body, STRIPE_SECRET)
    stale = signature_header(body, STRIPE_SECRET, now() - timedelta(seconds=301))
    future = signature_header(body, STRIPE_SECRET, now() + timedelta(seconds=310))
    refused = {
        "missing": await stack.post(body),
        "doubled": await stack.post(body, good, good),
        "another secret": await stack.post(body, signature_header(body, "whsec_other")),
        "another body": await stack.post(other_body(body), good),
        "stale": await stack.post(body, stale),
        "from the future": await stack.post(body, future),
        "empty": await stack.post(body, ""),
        "no timestamp": await stack.post(body, good.split(",")[1]),
        "two timestamps": await stack.post(body, f"t=1,{good}"),
        "huge timestamp": await stack.post(body, "t=999999999999,v1=00"),
        "not ASCII": await stack.post(body, good.replace("v1=", "v1=\u00e9")),
        "another timestamp in front": await stack.post(body, f"t=+{OLD},{good}"),
        "another timestamp with a blank": await stack.post(body, f"t= {OLD},{good}"),
        "another timestamp behind": await stack.post(body, f"{good},t={OLD}"),
        "a blank": await stack.post(body, good.replace(",", ", ")),
        "only v0": await stack.post(body, good.replace("v1=", "v0=")),
        "not UTF-8": await stack.post(b"\xff\xfe", good),
    }

    assert set(refused.values()) == {400}, refused
    assert await events_of(stack) == []


async def test_a_signature_that_does_not_match_is_logged_by_that_name(stack: Stack) -> None:
    event = top_up_event(CUSTOMER, 2_500, now())
    with capture_logs() as lines:
        await stack.post(to_body(event), signature_header(to_body(event), "whsec_other"))
        await stack.post(to_body(event), "t=malformed")
        await stack.post(b'{"id": "<a page>"}', signature_header(b"", "whsec_other"))
    told = [(line["event"], line["event_id"]) for line in lines if line["log_level"] == "warning"]
    assert told == [
        ("webhook_signature_mismatch", event["id"]),
        ("webhook_refused", event["id"]),
        ("webhook_signature_mismatch", ""),
    ]


async def test_an_old_delivery_cannot_be_made_to_look_fresh(stack: Stack) -> None:
    body = to_body(top_up_event(CUSTOMER, 2_500, now()))
    signed_then = signature_header(body, STRIPE_SECRET, now() - timedelta(days=200))
    old, signature = signed_then.split(",")
    old_time = old.removeprefix("t=")
    fresh = f"t={int(now().timestamp())}"
    for header in (
        f"t=+{old_time},{fresh},{signature}",
        f"t= {old_time},{fresh},{signature}",
        f"{fresh},{old},{signature}",
        f"{fresh},{signature}",
    ):
        assert await stack.post(body, header) == 400
    assert await events_of(stack) == []


async def test_a_body_over_the_limit_is_refused(stack: Stack) -> None:
    body = b" " * (256 * 1024 + 1)
    assert await stack.post(body, signature_header(body, STRIPE_SECRET)) == 413


async def test_a_body_at_the_limit_is_kept(stack: Stack) -> None:
    event = top_up_event(CUSTOMER, 2_500, now())
    body = json.dumps(event).encode().ljust(256 * 1024)
    assert await stack.post(body, signature_header(body, STRIPE_SECRET)) == 200
    found = await settled(stack, event)
    assert found.state == DONE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b'{"object": "event"}',
        b'{"object": "event", "id": "evt_1", "type": 7, "created": 1}',
        b'{"object": "event", "id": "a b", "type": "invoice.paid", "created": 1}',
        b'{"object": "event", "id": "evt_1", "type": "invoice.paid", "created": NaN}',
        b'{"object": "v2.core.event", "id": "evt_1", "type": "v1.billing.meter"}',
        b"[" * 10_000,
        b'{"object": "event", "id": "evt_\\u0000", "type": "invoice.paid", "created": 1}',
        b'{"object": "event", "id": "evt_1", "type": "\\ud800", "created": 1}',
    ],
)
async def test_a_rightly_signed_body_that_cannot_be_read_is_kept_dead(
    stack: Stack, body: bytes
) -> None:
    assert await stack.post(body, signature_header(body, STRIPE_SECRET)) == 200

    [event] = await events_of(stack)
    assert event.state == DEAD
    assert event.event_id.startswith("sha256:")
    request = billing_gateway_service_pb2.GetWebhookEventRequest(
        provider=provider_pb2.PROVIDER_STRIPE, event_id=event.event_id
    )
    assert (await stack.gateway.GetWebhookEvent(request)).body == body


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"amount_total": -5}, "amount_total is not a whole amount"),
        ({"amount_total": 10.5}, "amount_total is not a whole amount"),
        ({"amount_total": "2500"}, "amount_total is not a whole amount"),
        ({"amount_total": True}, "amount_total is not a whole amount"),
        ({"amount_total": None}, "amount_total is not a whole amount"),
        ({"amount_total": 10**300}, "is out of range"),
        ({"amount_total": 2**63 - 1}, "is out of range"),
        ({"currency": "xyz"}, "currency 'XYZ' is not one that Tollgate converts"),
        ({"currency": None}, "currency is not a currency code"),
        ({"payment_intent": 7}, "payment_intent is not an id"),
        ({"payment_intent": "pi 1"}, "payment_intent is not an id"),
    ],
)
async def test_an_event_with_an_impossible_value_is_dead_and_moves_nothing(
    stack: Stack, changes: dict[str, object], problem: str
) -> None:
    event = top_up_event(CUSTOMER, 2_500, now())
    event["data"]["object"].update(changes)

    assert await stack.deliver(event) == 200

    found = await settled(stack, event)
    assert found.state == DEAD
    assert problem in found.last_error
    assert (await wallet_of(stack, "org-1")).entry_count == 0


async def test_an_unknown_event_type_is_ignored(stack: Stack) -> None:
    event = {**top_up_event(CUSTOMER, 2_500, now()), "type": "customer.tax_id.created"}
    assert await stack.deliver(event) == 200
    found = await settled(stack, event)
    assert found.state == IGNORED


async def test_a_live_event_is_dead_where_the_settings_expect_test_events(stack: Stack) -> None:
    event = {**top_up_event(CUSTOMER, 2_500, now()), "livemode": True}
    assert await stack.deliver(event) == 200
    found = await settled(stack, event)
    assert found.state == DEAD
    assert "a live event" in found.last_error


async def test_an_event_of_nobody_is_parked_and_settled_by_a_link(stack: Stack) -> None:
    stranger = Customer("")
    event = top_up_event(stranger, 2_500, now())
    await stack.deliver(event)
    assert (await settled(stack, event)).state == PARKED

    await stack.gateway.LinkSubscription(link(stranger, "org-2", "USD"))

    wallet = await eventually(lambda: wallet_of(stack, "org-2"), lambda it: it.balance_micros > 0)
    assert wallet.balance_micros == 25_000_000


async def test_a_payment_in_another_currency_than_the_wallets_waits_and_says_why(
    stack: Stack,
) -> None:
    await stack.wallet.CreateWallet(
        wallet_service_pb2.CreateWalletRequest(organization_id="org-1", currency_code="EUR")
    )
    event = top_up_event(CUSTOMER, 2_500, now())
    await stack.deliver(event)
    await settled(stack, event)
    waiting = await eventually(lambda: payment_of(stack, event), lambda it: it.last_error != "")
    assert "CURRENCY_MISMATCH" in waiting.last_error
    assert (await wallet_of(stack, "org-1")).balance_micros == 0


async def test_another_organizations_subscription_cannot_be_linked(stack: Stack) -> None:
    def link_to(organization_id: str) -> billing_gateway_service_pb2.LinkSubscriptionRequest:
        return billing_gateway_service_pb2.LinkSubscriptionRequest(
            organization_id=organization_id,
            provider=provider_pb2.PROVIDER_PAYPAL,
            provider_subscription_id="I-1",
            currency_code="USD",
        )

    await stack.gateway.LinkSubscription(link_to("org-1"))
    found = await refusal(stack.gateway.LinkSubscription(link_to("org-2")))

    assert found.reason == "ALREADY_LINKED"
    assert (await wallet_of(stack, "org-2")).organization_id == ""


async def test_a_body_in_pieces_without_a_length_is_bounded_too(stack: Stack) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 64 * 1024

    url = f"http://{stack.addresses['http']}/webhooks/stripe"
    headers = {"Stripe-Signature": "t=1,v1=00"}
    try:
        async with stack.http.post(url, data=endless(), headers=headers) as answer:
            status = answer.status
    except aiohttp.ClientError:
        # The gateway answered and hung up while we were still sending.
        return
    assert status == 413


async def begin_to_send(
    stack: Stack, sent: bytes
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send the beginning of a delivery of the size that is allowed at most, and no more."""
    host, _, port = stack.addresses["http"].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /webhooks/stripe HTTP/1.1\r\nHost: t\r\nContent-Length: 262144\r\n\r\n")
    writer.write(sent)
    return reader, writer


async def test_strangers_bodies_are_held_within_a_bound_of_all_together(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is over it is told so; the others are still waited for."""
    monkeypatch.setattr(bodies, "BODIES_BYTES_MAX", 1024 * 1024)
    strangers = [await begin_to_send(stack, b" " * 262_143) for _ in range(8)]
    answers = [asyncio.create_task(reader.readline()) for reader, _ in strangers]

    async def heard() -> Counter[bytes]:
        return Counter(answer.result().split()[1] for answer in answers if answer.done())

    await eventually(heard, lambda statuses: statuses == {b"503": 4})
    assert await stack.deliver(top_up_event(CUSTOMER, 2_500, now())) == 200
    assert await heard() == {b"503": 5}

    for _, writer in strangers:
        writer.write(b" ")
    await eventually(heard, lambda statuses: statuses == {b"503": 5, b"400": 3})
    for _, writer in strangers:
        writer.transport.abort()


async def test_bodies_that_never_end_and_come_again_keep_out_no_good_one(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODIES_BYTES_MAX", 1024 * 1024)
    refused = asyncio.Event()

    async def come_again() -> None:
        while True:
            reader, writer = await begin_to_send(stack, b" " * 262_143)
            try:
                assert b" 503 " in await reader.readline()
                refused.set()
                await let_time_pass(COME_AGAIN_SECONDS)
            finally:
                writer.transport.abort()

    hostile = [asyncio.create_task(come_again()) for _ in range(8)]
    try:
        await refused.wait()
        statuses = [await stack.deliver(top_up_event(CUSTOMER, 2_500, now())) for _ in range(20)]
        assert Counter(statuses) == {200: 20}
        assert not any(task.done() for task in hostile)
    finally:
        for task in hostile:
            task.cancel()
        await asyncio.gather(*hostile, return_exceptions=True)


async def test_who_hangs_up_in_the_middle_is_no_failure_of_ours(
    stopped_stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics_address = free_address()
    stopped_stack.gateway_settings = {"metrics_address": metrics_address}
    await stopped_stack.start("wallet", "billing_gateway")

    async def metrics() -> str:
        async with stopped_stack.http.get(f"http://{metrics_address}/metrics") as answer:
            return await answer.text()

    _, stranger = await begin_to_send(stopped_stack, b"{")
    await stranger.drain()
    stranger.close()

    await eventually(metrics, lambda told: 'deliveries_total{provider="STRIPE"' in told)
    assert 'deliveries_total{provider="STRIPE",status="400"} 1.0' in await metrics()
    assert "webhook_failed" not in capsys.readouterr().out


async def test_only_posts_to_known_paths_are_deliveries(stack: Stack) -> None:
    base = f"http://{stack.addresses['http']}"
    async with stack.http.get(f"{base}/webhooks/stripe") as answer:
        assert answer.status == 405
    async with stack.http.post(f"{base}/webhooks/nobody") as answer:
        assert answer.status == 404
    async with stack.http.get(f"{base}/healthz") as answer:
        assert answer.status == 200
