"""Whatever is posted to a simulated provider is answered, and never by a failure of its own."""

import inspect
import json
from collections.abc import AsyncIterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import BasicAuth, ClientSession
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dev.simulators.paypal import PayPalSimulator
from dev.simulators.paypal.account import VERBS as PAYPAL_VERBS
from dev.simulators.stripe import StripeSimulator
from dev.simulators.stripe.objects import Session
from dev.simulators.stripe.verbs import VERBS as STRIPE_VERBS
from tests.integration.test_simulators import Simulator, make_paypal, make_stripe
from tests.support.mutations import places

SEARCH = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
CONTEXT = {"return_url": "https://example.com/done", "cancel_url": "https://example.com/back"}
MONEY = {"value": "25.00", "currency_code": "USD"}
ORDER = {
    "intent": "CAPTURE",
    "purchase_units": [{"amount": MONEY, "custom_id": "org-1", "invoice_id": "1"}],
    "payment_source": {"paypal": {"experience_context": CONTEXT}},
    "application_context": CONTEXT,
}
EVENT_TO_VERIFY = {"transmission_id": "1", "transmission_sig": "eA==", "webhook_event": {"id": 1}}
SESSION = {
    "mode": "payment",
    "line_items[0][price_data][currency]": "usd",
    "line_items[0][price_data][unit_amount]": "2500",
    "line_items[0][quantity]": "1",
    "success_url": "https://example.com/done",
    "cancel_url": "https://example.com/back",
    "metadata[organization_id]": "org-1",
    "payment_intent_data[metadata][organization_id]": "org-1",
}
FAULT = {"fault": {"kind": "latency", "milliseconds": 1}, "call": "get_order", "times": 1}

WORDS = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=5),
    st.sampled_from(("", "-1", "NaN", "1e9", "9" * 5_000, "\ud800", "http://[", "//", "a\nb")),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)
PLACES = [*SESSION, "payment_intent", "amount", "cancel_at_period_end"]
TOPS = [each.partition("[")[0] for each in PLACES]
NAMES = st.sampled_from([*PLACES, *TOPS, "a[b][c]", "a[", ""])
VALUES = ("", "-1", "NaN", "9" * 5_000, "http://[", "//", "a\nb", "file")
CHANGES = ("suspend", "activate", "cancel")
KINDS = ("application/json", "application/x-www-form-urlencoded; charset=x", "multipart/form-data")


@dataclass(frozen=True)
class Post:
    """A request that is answered as it should be."""

    path: str
    body: Any


@dataclass(frozen=True)
class Poster:
    """Whoever posts to a simulator."""

    simulator: Simulator
    http: ClientSession
    state_file: Path
    posts: list[Post]
    ids: list[str]

    async def post(self, path: str, **given: Any) -> int:
        async with self.http.post(path, allow_redirects=False, **given) as answer:
            assert answer.status < 500, await answer.text()
        self.simulator.faults.clear()
        return answer.status

    def check_memory(self) -> None:
        """What it keeps can be read by its next run."""
        make = make_paypal if isinstance(self.simulator, PayPalSimulator) else make_stripe
        assert make(self.state_file).account.books == self.simulator.account.books


@pytest.fixture
async def paypal(tmp_path: Path) -> AsyncIterator[Poster]:
    """A PayPal where something has happened already."""
    simulator = make_paypal(tmp_path / "paypal.json")
    assert isinstance(simulator, PayPalSimulator)
    simulator.deliveries.hold()
    await simulator.start()
    account = simulator.account
    order_id = account.create_order("25.00", "USD").order_id
    account.approve_order(order_id)
    [capture_id] = account.capture_order(order_id).capture_ids
    subscription_id = account.create_subscription("P-1").subscription_id
    orders, subscriptions = "/v2/checkout/orders", "/v1/billing/subscriptions"
    events = "/v1/notifications/webhooks-events"
    posts = [
        Post(orders, ORDER),
        Post(f"{orders}/{order_id}/capture", {}),
        Post(f"/v2/payments/captures/{capture_id}/refund", {"amount": MONEY}),
        Post(subscriptions, {"plan_id": "P-1", "custom_id": "o", "application_context": CONTEXT}),
        *(Post(f"{subscriptions}/{subscription_id}/{each}", {"reason": "x"}) for each in CHANGES),
        Post("/v1/notifications/verify-webhook-signature", EVENT_TO_VERIFY),
        Post(f"{events}/{simulator.events[0].event_id}/resend", {}),
        Post(f"/checkoutnow?token={order_id}", {"decision": "approve"}),
        Post(f"/webapps/billing/subscriptions?ba_token={subscription_id}", {"decision": "cancel"}),
        Post("/_simulator/faults", FAULT),
    ]
    simulator.tokens.add("token")
    async with ClientSession(simulator.base_url, headers={"Authorization": "Bearer token"}) as http:
        ids = [order_id, capture_id, subscription_id]
        yield Poster(simulator, http, tmp_path / "paypal.json", posts, ids)
    await simulator.stop()


@pytest.fixture
async def stripe(tmp_path: Path) -> AsyncIterator[Poster]:
    """A Stripe where something has happened already."""
    simulator = make_stripe(tmp_path / "stripe.json")
    assert isinstance(simulator, StripeSimulator)
    simulator.deliveries.hold()
    await simulator.start()
    account = simulator.account
    session = Session(created=account.now(), amount=2_500)
    account.open_session(session)
    account.pay(session.id)
    subscription_id = account.subscribe("price_pro")
    posts = [
        Post("/v1/checkout/sessions", SESSION),
        Post(f"/v1/subscriptions/{subscription_id}", {"cancel_at_period_end": "true"}),
        Post(f"/v1/subscriptions/{subscription_id}/resume", {}),
        Post("/v1/refunds", {"payment_intent": session.intent_id, "amount": "100"}),
        Post(f"/pay/{session.id}", {"act": "pay"}),
    ]
    async with ClientSession(
        simulator.base_url, headers={"Authorization": "Bearer sk_test_1"}
    ) as http:
        ids = [session.id, session.intent_id, subscription_id]
        yield Poster(simulator, http, tmp_path / "stripe.json", posts, ids)
    await simulator.stop()


async def test_a_signature_that_is_none_is_no_signature(paypal: Poster) -> None:
    asked = {**EVENT_TO_VERIFY, "transmission_sig": "\x80"}
    assert await paypal.post("/v1/notifications/verify-webhook-signature", json=asked) == 200


async def test_what_is_posted_rightly_is_taken(paypal: Poster, stripe: Poster) -> None:
    assert await paypal.post("/v2/checkout/orders", json=ORDER) == 201
    assert await stripe.post("/v1/checkout/sessions", data=SESSION) == 200


@SEARCH
@given(data=st.data())
async def test_paypal_answers_any_json(paypal: Poster, data: st.DataObject) -> None:
    asked = data.draw(st.sampled_from(paypal.posts))
    body = deepcopy(asked.body)
    for _ in range(data.draw(st.integers(1, 2))):
        if found := list(places(body)):
            container, key = data.draw(st.sampled_from(found))
            if data.draw(st.booleans()):
                del container[key]
            else:
                container[key] = data.draw(JSON)
    await paypal.post(asked.path, data=json.dumps(body))
    await paypal.post(asked.path, data=json.dumps(data.draw(JSON)))
    paypal.check_memory()


@SEARCH
@given(data=st.data())
async def test_stripe_answers_any_form(stripe: Poster, data: st.DataObject) -> None:
    asked = data.draw(st.sampled_from(stripe.posts))
    form = list(asked.body.items())
    values = st.text(st.characters(codec="utf-8"), max_size=5) | st.sampled_from(VALUES)
    form += data.draw(st.lists(st.tuples(NAMES, values), max_size=2))
    form = data.draw(st.permutations(form))
    await stripe.post(asked.path, data=form[: data.draw(st.integers(0, len(form)))])
    stripe.check_memory()


@pytest.mark.parametrize("kind", KINDS)
@SEARCH
@given(data=st.data())
async def test_both_answer_any_bytes(
    paypal: Poster, stripe: Poster, kind: str, data: st.DataObject
) -> None:
    poster = data.draw(st.sampled_from([paypal, stripe]))
    path = data.draw(st.sampled_from([each.path for each in poster.posts]))
    body = data.draw(st.binary(max_size=20))
    await poster.post(path, data=body, headers={"Content-Type": kind})


@SEARCH
@given(data=st.data())
async def test_both_answer_any_argument_of_a_verb(
    paypal: Poster, stripe: Poster, data: st.DataObject
) -> None:
    poster, verbs = data.draw(st.sampled_from([(paypal, PAYPAL_VERBS), (stripe, STRIPE_VERBS)]))
    verb = data.draw(st.sampled_from(verbs))
    names = [*inspect.signature(getattr(poster.simulator.account, verb)).parameters]
    values = st.sampled_from([*poster.ids, *poster.ids, "5.00", 5, True]) | JSON
    arguments = {name: data.draw(values) for name in names if data.draw(st.integers(0, 9))}
    await poster.post(f"/_simulator/act/{verb}", data=json.dumps(arguments))
    poster.check_memory()


async def test_an_order_without_a_source_of_payment_is_made_and_can_be_approved(
    paypal: Poster,
) -> None:
    body = {name: value for name, value in ORDER.items() if name != "payment_source"}
    for asked in (body, {**body, "application_context": {}}):
        async with paypal.http.post("/v2/checkout/orders", json=asked) as answer:
            order = await answer.json()
        assert (answer.status, order["status"]) == (201, "CREATED")
        [page] = [each["href"] for each in order["links"] if each["rel"] == "approve"]
        assert await paypal.post(page, data={"decision": "approve"}) == 303
        async with paypal.http.get(f"/v2/checkout/orders/{order['id']}") as answer:
            assert (await answer.json())["status"] == "APPROVED"


async def test_what_an_order_lacks_is_named_as_by_paypal(paypal: Poster) -> None:
    async with paypal.http.post("/v2/checkout/orders", json={"intent": "CAPTURE"}) as answer:
        told = await answer.json()
    assert (answer.status, told["name"]) == (400, "INVALID_REQUEST")
    [detail] = told["details"]
    assert (detail["field"], detail["issue"]) == ("/purchase_units", "MISSING_REQUIRED_PARAMETER")


@pytest.mark.parametrize(("user", "status"), [("sk_test_1", 404), ("sk_test_2", 401), ("", 401)])
async def test_stripe_takes_its_key_as_the_user_of_a_name(
    stripe: Poster, user: str, status: int
) -> None:
    url = f"{stripe.simulator.base_url}/v1/subscriptions/sub_9"
    async with ClientSession(auth=BasicAuth(user)) as http, http.get(url) as answer:
        assert answer.status == status


@pytest.mark.parametrize("address", ["http://[", "//", "nowhere", ""])
async def test_no_customer_is_sent_to_what_is_no_address(
    paypal: Poster, stripe: Poster, address: str
) -> None:
    order = {**ORDER, "payment_source": None, "application_context": {"return_url": address}}
    assert await paypal.post("/v2/checkout/orders", json=order) == 400
    session = {**SESSION, "success_url": address}
    assert await stripe.post("/v1/checkout/sessions", data=session) == 400
