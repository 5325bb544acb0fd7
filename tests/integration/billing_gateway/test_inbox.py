"""What becomes of events in the inbox, and what a replay does with them."""

from dataclasses import replace
from datetime import datetime

import asyncpg
from pydantic import SecretStr
from structlog.testing import capture_logs

from libs.database import Database
from services.billing_gateway.domain.observations import (
    Claim,
    PaymentPaid,
    Translation,
)
from services.billing_gateway.domain.values import (
    EventState,
    PaymentObject,
    Provider,
)
from services.billing_gateway.storage import inbox
from services.billing_gateway.storage.inbox import Delivery
from tests.conftest import MakeDatabase
from tests.integration.billing_gateway.requests import (
    DEAD,
    DONE,
    RECEIVED,
    events_of,
    execute,
    reaches,
)
from tests.support.errors import refusal
from tests.support.fake_provider import SIGNED, FakeProvider
from tests.support.sights import wallet_of
from tests.support.stack import Stack, now
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_events_pb2,
    billing_gateway_service_pb2,
    provider_pb2,
    webhook_event_pb2,
)

STRIPE = provider_pb2.PROVIDER_STRIPE
DEAD_BODY = b'{"id": "evt_dead", "type": "told", "observations": [7]}'


def top_up(name: str, organization_id: str = "org-1") -> PaymentPaid:
    return PaymentPaid(
        objects=(PaymentObject(f"pi_{name}", 0),),
        subscription_id="",
        customer_id="",
        checkout_id="",
        claim=Claim(organization_id) if organization_id else None,
        lines=(),
        currency_code="USD",
        paid_micros=1_000_000,
        paid_time=now(),
    )


async def replay(stack: Stack, **wanted: object) -> int:
    request = billing_gateway_service_events_pb2.ReplayWebhookEventsRequest(**wanted)  # type: ignore[arg-type]
    return (await stack.gateway.ReplayWebhookEvents(request)).replayed_count


async def fill(stack: Stack) -> None:
    """Let there be events in every state: five settled, and one each ignored, parked and dead."""
    for number in range(5):
        await stack.deliver_fake(Provider.STRIPE, f"evt_{number}", top_up(str(number)))
    await stack.deliver_fake(Provider.STRIPE, "evt_ignored")
    await stack.deliver_fake(Provider.STRIPE, "evt_parked", top_up("parked", ""))
    assert await stack.post_to(Provider.STRIPE, DEAD_BODY, SIGNED.items()) == 200
    await reaches(stack, DONE=5, IGNORED=1, PARKED=1, DEAD=1)
    await eventually(
        lambda: wallet_of(stack, "org-1"), lambda wallet: wallet.balance_micros == 5_000_000
    )


async def test_the_log_tells_apart_what_became_of_events(fake_stack: Stack) -> None:
    async def put_off() -> set[str]:
        return {each["event_id"] for each in logs if each["event"] == "event_put_off"}

    with capture_logs() as logs:
        await fill(fake_stack)
        server = await asyncpg.connect(fake_stack.databases["billing_gateway"].superuser_url)
        async with server.transaction():
            await server.execute("SELECT FROM organizations FOR UPDATE")
            await fake_stack.deliver_fake(Provider.STRIPE, "evt_held", top_up("held"))
            await eventually(put_off, lambda found: "evt_held" in found)
        await server.close()
        await reaches(fake_stack, DONE=6, IGNORED=1, PARKED=1, DEAD=1)
    told = {
        (each["event_id"], each["event"], each["log_level"]) for each in logs if "state" in each
    }
    # Events of one organization wait for each other, or do not.
    assert told - {(each, "event_put_off", "debug") for each in await put_off()} == {
        *((f"evt_{number}", "event_settled", "info") for number in range(5)),
        ("evt_held", "event_settled", "info"),
        ("evt_ignored", "event_settled", "info"),
        ("evt_parked", "event_parked", "info"),
        ("evt_dead", "event_dead", "warning"),
    }


async def test_whatever_is_replayed_has_no_second_effect(fake_stack: Stack) -> None:
    await fill(fake_stack)
    seen = await wallet_of(fake_stack, "org-1")

    assert await replay(fake_stack, provider=STRIPE, event_id="evt_3") == 1
    assert await replay(fake_stack) == 8

    await reaches(fake_stack, DONE=5, IGNORED=1, PARKED=1, DEAD=1)
    assert await wallet_of(fake_stack, "org-1") == seen


COPIES = """
INSERT INTO webhook_events (provider, event_id, event_type, body, state, last_error)
SELECT provider, 'evt_copy_' || number, event_type, body, 'IGNORED', ''
FROM webhook_events, generate_series(1, 3000) AS number
"""


async def test_what_is_delivered_during_a_replay_of_many_does_not_wait_for_it(
    fake_stack: Stack,
) -> None:
    await fake_stack.deliver_fake(Provider.STRIPE, "evt_ignored")
    await reaches(fake_stack, IGNORED=1)
    await execute(fake_stack.databases["billing_gateway"], COPIES)
    assert await replay(fake_stack) == 3001

    await fake_stack.deliver_fake(Provider.STRIPE, "evt_new", top_up("new"))
    [settled] = await eventually(
        lambda: events_of(fake_stack, organization_id="org-1"), lambda found: found != []
    )

    assert settled.state == DONE
    assert await events_of(fake_stack, state=RECEIVED, page_size=1) != []


async def test_what_waits_already_is_not_put_off_by_a_replay_of_many(
    make_database: MakeDatabase,
) -> None:
    url = (await make_database("billing_gateway")).url
    database = await Database.connect(SecretStr(url), 1, "test")
    delivery = Delivery(Provider.STRIPE, "evt_1", "told", b"{}", EventState.RECEIVED, "")
    await database.run(inbox.insert, [delivery])
    waiting = await database.transact(inbox.claim_next, [])
    assert waiting is not None

    await database.transact(inbox.replay, [waiting.event], 1_000_000)

    assert await database.transact(inbox.claim_next, []) == waiting
    await database.close()


async def test_a_replay_takes_what_its_filter_finds(fake_stack: Stack) -> None:
    await fill(fake_stack)
    times = [event.receive_time for event in await events_of(fake_stack)]
    counts = {
        "state": await replay(fake_stack, state=DONE),
        "provider": await replay(fake_stack, provider=provider_pb2.PROVIDER_PAYPAL),
        "type": await replay(fake_stack, event_type="told"),
        "organization": await replay(fake_stack, organization_id="org-1"),
        "object": await replay(fake_stack, provider_object_id="pi_3"),
        "after": await replay(fake_stack, received_after=times[1]),
        "before": await replay(fake_stack, received_before=times[1]),
        "both": await replay(fake_stack, received_after=times[5], received_before=times[1]),
    }
    assert counts == {
        "state": 5,
        "provider": 0,
        "type": 8,
        "organization": 5,
        "object": 1,
        "after": 2,
        "before": 6,
        "both": 4,
    }
    await reaches(fake_stack, DONE=5, IGNORED=1, PARKED=1, DEAD=1)


async def test_what_a_replay_refuses(fake_stack: Stack) -> None:
    await fake_stack.deliver_fake(Provider.STRIPE, "evt_1")
    await reaches(fake_stack, IGNORED=1)
    await execute(fake_stack.databases["billing_gateway"], "UPDATE webhook_events SET body = NULL")
    refused = {
        "nobody's": await refusal(replay(fake_stack, event_id="evt_1")),
        "with a filter": await refusal(
            replay(fake_stack, provider=STRIPE, event_id="evt_1", state=DONE)
        ),
        "not received": await refusal(replay(fake_stack, provider=STRIPE, event_id="evt_2")),
        "given up": await refusal(replay(fake_stack, provider=STRIPE, event_id="evt_1")),
    }
    assert {name: (each.reason, each.fields) for name, each in refused.items()} == {
        "nobody's": ("INVALID_ARGUMENT", ["provider"]),
        "with a filter": ("INVALID_ARGUMENT", ["event_id"]),
        "not received": ("EVENT_NOT_FOUND", []),
        "given up": ("EVENT_BODY_EXPIRED", []),
    }
    assert refused["given up"].metadata == {"eventId": "evt_1"}
    assert await replay(fake_stack) == 0
    answer = await fake_stack.gateway.GetWebhookEvent(
        billing_gateway_service_pb2.GetWebhookEventRequest(provider=STRIPE, event_id="evt_1")
    )
    assert (answer.body, answer.event.body_kept) == (b"", False)


class BrokenProvider(FakeProvider):
    """Has a defect."""

    def translate(self, body: bytes, receive_time: datetime) -> Translation:
        """Fail for some events."""
        if b"broken" in body:
            raise RuntimeError("a defect")
        return super().translate(body, receive_time)


async def event_of(stack: Stack, event_id: str) -> webhook_event_pb2.WebhookEvent:
    request = billing_gateway_service_pb2.GetWebhookEventRequest(provider=STRIPE, event_id=event_id)
    return (await stack.gateway.GetWebhookEvent(request)).event


async def test_a_defect_is_tried_again_at_longer_intervals_and_given_up(
    stopped_stack: Stack,
) -> None:
    stopped_stack.gateway_providers = {Provider.STRIPE: BrokenProvider(Provider.STRIPE)}
    await stopped_stack.start("wallet", "billing_gateway")
    await stopped_stack.deliver_fake(Provider.STRIPE, "evt_broken", top_up("1"))
    await stopped_stack.deliver_fake(Provider.STRIPE, "evt_well", top_up("2"))
    await reaches(stopped_stack, RECEIVED=1, DONE=1)
    event = await eventually(
        lambda: event_of(stopped_stack, "evt_broken"), lambda it: it.attempt_count >= 2
    )
    assert event.last_error == "internal error: RuntimeError"
    assert event.next_attempt_time.ToDatetime() > event.receive_time.ToDatetime()

    await execute(
        stopped_stack.databases["billing_gateway"],
        "UPDATE webhook_events SET attempt_count = 19, next_attempt_time = now() "
        "WHERE event_id = 'evt_broken'",
    )

    await reaches(stopped_stack, DEAD=1, DONE=1)
    assert (await event_of(stopped_stack, "evt_broken")).attempt_count == 20
    # A replay begins anew.
    await replay(stopped_stack, state=DEAD)
    event = await eventually(
        lambda: event_of(stopped_stack, "evt_broken"), lambda it: 0 < it.attempt_count < 20
    )
    assert event.state == RECEIVED


async def test_what_contradicts_is_dead_and_says_why(fake_stack: Stack) -> None:
    await fake_stack.deliver_fake(Provider.STRIPE, "evt_1", top_up("1"))
    await reaches(fake_stack, DONE=1)
    other = replace(top_up("1"), paid_micros=2_000_000)

    await fake_stack.deliver_fake(Provider.STRIPE, "evt_2", other)

    await reaches(fake_stack, DONE=1, DEAD=1)
    event = await event_of(fake_stack, "evt_2")
    assert event.last_error.startswith("REFERENCE_CONFLICT: ")
    assert event.observations == ["payment pi_1 paid 2000000 USD micros"]
    assert event.provider_object_ids == ["pi_1"]


HOLD_OBJECT = "SELECT pg_advisory_xact_lock(hashtextextended('STRIPE pi_held', 0))"


async def test_what_somebody_works_on_is_put_off_and_holds_up_nothing(fake_stack: Stack) -> None:
    connection = await asyncpg.connect(fake_stack.databases["billing_gateway"].superuser_url)
    async with connection.transaction():
        await connection.execute(HOLD_OBJECT)
        for number in range(8):
            await fake_stack.deliver_fake(Provider.STRIPE, f"evt_{number}", top_up("held"))
        held = await eventually(
            lambda: event_of(fake_stack, "evt_7"), lambda it: it.last_error != ""
        )
        assert (held.state, held.attempt_count) == (RECEIVED, 0)
        await fake_stack.deliver_fake(Provider.STRIPE, "evt_other", top_up("other"))
        # Sooner than any wait for a lock ends.
        await eventually(
            lambda: event_of(fake_stack, "evt_other"),
            lambda it: it.state == DONE,
            timeout_seconds=2.0,
        )
    await connection.close()
    await reaches(fake_stack, DONE=9)
    assert {each.attempt_count for each in await events_of(fake_stack)} == {1}


async def test_events_of_a_provider_that_is_not_configured_any_more_wait(
    stopped_stack: Stack, stripe: FakeProvider, paypal: FakeProvider
) -> None:
    stopped_stack.gateway_providers = {Provider.STRIPE: stripe}
    await stopped_stack.start("wallet", "billing_gateway")
    await stopped_stack.deliver_fake(Provider.STRIPE, "evt_1", top_up("1", ""))
    await reaches(stopped_stack, PARKED=1)
    await stopped_stack.stop("billing_gateway")
    stopped_stack.gateway_providers = {Provider.PAYPAL: paypal}
    await stopped_stack.start("billing_gateway")
    await replay(stopped_stack)
    await stopped_stack.deliver_fake(Provider.PAYPAL, "WH-1", top_up("2"))
    await reaches(stopped_stack, RECEIVED=1, DONE=1)
    assert (await event_of(stopped_stack, "evt_1")).attempt_count == 0
    await stopped_stack.stop("billing_gateway")
    stopped_stack.gateway_providers = {Provider.STRIPE: stripe}
    await stopped_stack.start("billing_gateway")
    await reaches(stopped_stack, PARKED=1, DONE=1)
