"""The simulated Stripe, as the gateway's own code sees it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dev.simulators.stripe import StripeSimulator
from dev.simulators.stripe.objects import Session
from dev.simulators.stripe.shapes import Shape
from dev.simulators.stripe.verbs import VERBS
from services.billing_gateway.domain.observations import Ignored, Observed
from services.billing_gateway.stripe.signature import verify_signature
from services.billing_gateway.stripe.translation import TranslationRules, translate_event
from tests.support.waiting import eventually

API_KEY, SECRET = "sk_test_1", "whsec_1"
RULES = TranslationRules(livemode=False, blocking_fraud_types=frozenset())


class Ear:
    """A webhook endpoint that verifies as the gateway does."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.refusals = 0
        application = web.Application()
        application.add_routes([web.post("/webhooks/stripe", self._hear)])
        self.server = TestServer(application)

    async def _hear(self, request: web.Request) -> web.Response:
        body = await request.read()
        now = datetime.now(UTC)
        verify_signature(request.headers, body, [SECRET], now, timedelta(minutes=5))
        if self.refusals:
            self.refusals -= 1
            return web.Response(status=503)
        assert isinstance(translate_event(body, now, RULES), Observed | Ignored)
        self.heard.append(json.loads(body))
        return web.Response()

    @property
    def types(self) -> list[str]:
        return [told["type"] for told in self.heard]


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    """Hears what the simulator tells."""
    ear = Ear()
    await ear.server.start_server()
    yield ear
    await ear.server.close()


MakeSimulator = Callable[..., Awaitable[StripeSimulator]]


@pytest.fixture
async def make_simulator(ear: Ear) -> AsyncIterator[MakeSimulator]:
    """Simulators that tell the ear."""
    made: list[StripeSimulator] = []

    async def make(**options: Any) -> StripeSimulator:
        url = str(ear.server.make_url("/webhooks/stripe"))
        made.append(StripeSimulator(API_KEY, SECRET, url, **options))
        await made[-1].start()
        return made[-1]

    yield make
    for simulator in made:
        await simulator.stop()


def open_session(simulator: StripeSimulator) -> str:
    session = Session(created=simulator.clock.now(), amount=2_500)
    simulator.account.open_session(session)
    return session.id


@pytest.mark.parametrize("shape", Shape)
async def test_everything_it_tells_is_signed_and_read(
    make_simulator: MakeSimulator, ear: Ear, shape: Shape
) -> None:
    simulator = await make_simulator(shape=shape)
    account = simulator.account
    session_id = open_session(simulator)
    account.pay(session_id)
    intent_id = account.session(session_id).intent_id
    account.complete_refund(account.refund(intent_id, 500, status="pending"))
    account.fail_refund(account.refund(intent_id, 500))
    dispute_id = account.open_dispute(intent_id)
    account.withdraw(dispute_id)
    account.reinstate(dispute_id)
    account.close_dispute(dispute_id, "won")
    account.end_warning(account.warn(intent_id))
    later = open_session(simulator)
    account.pay_later(later)
    account.settle(later, succeeds=False)
    account.expire(open_session(simulator))
    subscription_id = account.subscribe("price_pro")
    account.renew(subscription_id)
    account.pay_invoice(account.fail_renewal(subscription_id))
    account.give_up(subscription_id)
    account.pause(subscription_id)
    account.resume(subscription_id)
    account.set_cancel_at_period_end(subscription_id, ends=True)
    account.end_period(subscription_id)
    await simulator.deliveries.settle()

    assert sorted(told["id"] for told in ear.heard) == sorted(
        told["id"] for told in account.books.events
    )
    assert {told["api_version"] for told in ear.heard} == {shape}
    is_new = shape is Shape.ENDIVE
    assert any(kind.startswith("refund.") for kind in ear.types) is is_new
    assert ("invoice_payment.paid" in ear.types) is is_new
    assert account.subscription(subscription_id).status == "canceled"


async def test_a_delivery_that_is_refused_comes_again(
    make_simulator: MakeSimulator, ear: Ear
) -> None:
    simulator = await make_simulator()
    ear.refusals = 1
    simulator.account.expire(open_session(simulator))
    await simulator.deliveries.settle()
    assert ear.types == ["checkout.session.expired"]


async def test_what_is_done_with_one_key_is_done_once(make_simulator: MakeSimulator) -> None:
    simulator = await make_simulator()
    session_id = open_session(simulator)
    simulator.account.pay(session_id)
    url = f"{simulator.base_url}/v1/refunds"
    headers = {"Authorization": f"Bearer {API_KEY}", "Idempotency-Key": "key"}
    form = {"payment_intent": simulator.account.session(session_id).intent_id, "amount": "100"}
    async with aiohttp.ClientSession(headers=headers) as http:
        bodies = [await (await http.post(url, data=form)).json() for _ in range(2)]
        async with http.post(url, data=form | {"amount": "200"}) as answer:
            assert (await answer.json())["error"]["type"] == "idempotency_error"
    assert bodies[0] == bodies[1]
    assert list(simulator.account.books.refunds) == [bodies[0]["id"]]


async def test_a_customer_pays_on_the_page(make_simulator: MakeSimulator, ear: Ear) -> None:
    simulator = await make_simulator()
    session_id = open_session(simulator)
    url = simulator.account.session(session_id).url
    async with aiohttp.ClientSession() as http:
        async with http.get(url) as page:
            assert "2500 usd" in await page.text()
        async with http.post(url, data={"act": "pay"}, allow_redirects=False) as answer:
            assert answer.headers["Location"] == "https://example.com/done"
        async with http.post(url, data={"act": "pay"}, allow_redirects=False) as answer:
            assert answer.status == 400
    await simulator.deliveries.settle()
    assert ear.types.count("checkout.session.completed") == 1


async def test_the_switches_and_the_verbs_are_there_over_http(
    make_simulator: MakeSimulator, ear: Ear
) -> None:
    simulator = await make_simulator()
    async with aiohttp.ClientSession(f"{simulator.base_url}/_simulator/") as http:

        async def ask(method: str, path: str, **body: Any) -> Any:
            async with http.request(method, path, json=body) as answer:
                return answer.status, await answer.json() if answer.status != 204 else None

        status, subscription_id = await ask("POST", "act/subscribe", price_id="price_pro")
        assert status == 200
        await eventually(lambda: _seen(ear.types), lambda types: "invoice.paid" in types)
        assert (await ask("POST", "act/forget_everything"))[0] == 400
        assert (await ask("POST", "act/cancel", nobody="x"))[0] == 400
        assert (await ask("POST", "act/cancel", subscription_id="sub_9"))[0] == 400
        _, hold = await ask("PUT", "deliveries", hold=True, duplicates=2)
        assert hold["duplicates"] == 2
        await ask("POST", "act/cancel", subscription_id=subscription_id)
        assert [event.event_type for event in simulator.deliveries.held] == [
            "customer.subscription.deleted"
        ]
        assert (await ask("PUT", "deliveries", lose=-1))[0] == 400
        _, faults = await ask("POST", "faults", fault={"kind": "unavailable"}, times=1)
        assert faults[0]["fault"]["status"] == 503
        async with http.get("/v1/events") as answer:
            assert answer.status == 503
        assert (await ask("GET", "faults"))[1] == []
        [request] = (await ask("GET", "requests"))[1]
        assert request["call"] == "GET /v1/events"
        assert (await ask("POST", "reset"))[0] == 204
    assert simulator.account.books.events == []
    assert simulator.requests == []


async def _seen(types: list[str]) -> list[str]:
    return types


def test_every_verb_is_there() -> None:
    simulator = StripeSimulator(API_KEY, SECRET, "http://127.0.0.1:9")
    assert all(callable(getattr(simulator.account, verb)) for verb in VERBS)


async def test_the_account_is_kept_between_runs(
    make_simulator: MakeSimulator, tmp_path: Path
) -> None:
    file = tmp_path / "stripe.json"
    first = await make_simulator(state_file=file)
    subscription_id = first.account.subscribe("price_pro")
    await first.deliveries.settle()
    await first.stop()
    second = await make_simulator(state_file=file)
    assert second.account.books == first.account.books
    second.account.renew(subscription_id)
    await second.deliveries.settle()


async def test_its_clock_is_the_time_of_what_it_tells(
    make_simulator: MakeSimulator, ear: Ear
) -> None:
    simulator = await make_simulator()
    then = datetime(2026, 1, 1, tzinfo=UTC)
    simulator.clock.set(then)
    simulator.account.expire(open_session(simulator))
    await simulator.deliveries.settle()
    assert abs(ear.heard[0]["created"] - then.timestamp()) < 10
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{simulator.base_url}/v1/events") as answer,
    ):
        assert answer.headers["Date"].startswith("Thu, 01 Jan 2026")
        assert answer.status == 401
