"""From Stripe's events to observations: every shape, and no input that makes it raise."""

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.stripe_simulator import (
    Customer,
    event,
    invoice_paid_event,
    subscription_event,
    to_body,
    top_up_event,
)
from libs.currencies import ISO_4217
from libs.levels import SubscriptionState
from services.billing_gateway.domain.observations import (
    Claim,
    Ignored,
    Observation,
    Observed,
    PaymentPaid,
    PlanLine,
    SubscriptionClaimed,
    SubscriptionObserved,
    Translation,
    Unreadable,
)
from services.billing_gateway.domain.values import PaymentObject
from services.billing_gateway.stripe.currencies import MICROS_PER_UNIT
from services.billing_gateway.stripe.translation import OBSERVERS, STATES, translate_event

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PERIOD_END = NOW + timedelta(days=30)
CUSTOMER = Customer("org-1", "cus_1", "sub_1", "price_pro")
PAYLOADS = Path(__file__).parents[4] / "shared" / "payloads" / "stripe"
STORY = [
    subscription_event(CUSTOMER, "created", "active", NOW, PERIOD_END),
    invoice_paid_event(CUSTOMER, 2_000, NOW),
    top_up_event(CUSTOMER, 2_500, NOW),
]


def translate(stripe_event: dict[str, Any]) -> Translation:
    return translate_event(to_body(stripe_event), NOW, livemode=False)


def observed(stripe_event: dict[str, Any]) -> Observation:
    translation = translate(stripe_event)
    assert isinstance(translation, Observed), translation
    [observation] = translation.observations
    return observation


@pytest.mark.parametrize(
    ("status", "state"), [*STATES.items(), ("a_state_of_the_future", SubscriptionState.SUSPENDED)]
)
def test_every_status_has_its_state(status: str, state: SubscriptionState) -> None:
    found = observed(subscription_event(CUSTOMER, "updated", status, NOW, PERIOD_END))
    assert found == SubscriptionObserved(
        subscription_id="sub_1",
        customer_id="cus_1",
        claim=Claim("org-1"),
        plan_id="price_pro",
        state=state,
        current_period_end_time=PERIOD_END,
        cancel_at_period_end=False,
        provider_time=NOW,
        details_time=NOW,
        rank=1,
    )


def test_a_deleted_subscription_is_canceled_whatever_its_status_says() -> None:
    found = observed(subscription_event(CUSTOMER, "deleted", "active", NOW, PERIOD_END))
    assert isinstance(found, SubscriptionObserved)
    assert found.state is SubscriptionState.CANCELED


def test_the_period_is_read_in_its_old_place_too() -> None:
    old = subscription_event(CUSTOMER, "updated", "active", NOW, PERIOD_END)
    subscription = old["data"]["object"]
    subscription["current_period_end"] = subscription["items"]["data"][0].pop("current_period_end")
    found = observed(old)
    assert isinstance(found, SubscriptionObserved)
    assert found.current_period_end_time == PERIOD_END


def test_good_news_without_an_end_is_not_believed() -> None:
    endless = subscription_event(CUSTOMER, "updated", "active", NOW, PERIOD_END)
    del endless["data"]["object"]["items"]["data"][0]["current_period_end"]
    assert isinstance(translate(endless), Unreadable)


def test_an_invoice_is_read_in_its_new_and_its_old_shape() -> None:
    new = invoice_paid_event(CUSTOMER, 2_000, NOW)
    old = copy.deepcopy(new)
    invoice = old["data"]["object"]
    details = invoice.pop("parent")["subscription_details"]
    invoice["subscription"] = details["subscription"]
    invoice["subscription_details"] = {"metadata": details["metadata"]}
    [line] = invoice["lines"]["data"]
    line.pop("parent")
    line.update(type="subscription", price=line.pop("pricing")["price_details"]["price"])

    assert observed(old) == observed(new)
    assert observed(new) == PaymentPaid(
        objects=(PaymentObject(invoice["id"], 0),),
        subscription_id="sub_1",
        customer_id="cus_1",
        checkout_id="",
        claim=Claim("org-1"),
        lines=(PlanLine("price_pro", NOW),),
        currency_code="USD",
        paid_micros=20_000_000,
        paid_time=NOW,
    )


def test_an_invoice_that_renews_nothing_claims_no_period() -> None:
    found = observed(invoice_paid_event(CUSTOMER, 2_000, NOW, billing_reason="subscription_update"))
    assert isinstance(found, PaymentPaid)
    assert found.lines == (PlanLine("price_pro", None),)


def test_a_proration_renews_nothing_but_names_its_plan() -> None:
    told = invoice_paid_event(CUSTOMER, 2_000, NOW)
    [line] = told["data"]["object"]["lines"]["data"]
    line["parent"]["subscription_item_details"]["proration"] = True
    found = observed(told)
    assert isinstance(found, PaymentPaid)
    assert found.lines == (PlanLine("price_pro", None),)


def without_subscription(invoice_event: dict[str, Any]) -> dict[str, Any]:
    del invoice_event["data"]["object"]["parent"]
    return invoice_event


def with_session(**changes: object) -> dict[str, Any]:
    checkout = top_up_event(CUSTOMER, 2_500, NOW)
    checkout["data"]["object"].update(changes)
    return checkout


@pytest.mark.parametrize(
    "stripe_event",
    [
        invoice_paid_event(CUSTOMER, 0, NOW),
        without_subscription(invoice_paid_event(CUSTOMER, 2_000, NOW)),
        with_session(payment_status="unpaid"),
        with_session(payment_status="no_payment_required"),
        with_session(mode="setup"),
        with_session(amount_total=0),
        with_session(mode="subscription", subscription=None),
        event("payment_intent.succeeded", {"id": "pi_1", "amount_received": 2_500}, NOW),
    ],
)
def test_what_is_no_money_of_ours_credits_nothing(stripe_event: dict[str, Any]) -> None:
    assert translate(stripe_event) == Ignored()


def test_a_checkout_of_a_subscription_says_whose_it_is() -> None:
    told = with_session(mode="subscription", subscription="sub_1")
    checkout_id = told["data"]["object"]["id"]
    claimed = SubscriptionClaimed("sub_1", "cus_1", checkout_id, Claim("org-1"))
    assert observed(told) == claimed


@pytest.mark.parametrize(
    ("currency", "amount", "micros"),
    [("usd", 1, 10_000), ("jpy", 500, 500_000_000), ("kwd", 1_234, 1_234_000), ("huf", 5, 50_000)],
)
def test_amounts_are_converted_by_the_providers_own_table(
    currency: str, amount: int, micros: int
) -> None:
    found = observed(top_up_event(CUSTOMER, amount, NOW, currency=currency))
    assert isinstance(found, PaymentPaid)
    assert found.paid_micros == micros


def test_what_is_converted_a_wallet_can_stand_in() -> None:
    assert set(MICROS_PER_UNIT) <= ISO_4217


def test_an_event_from_the_future_is_not_believed() -> None:
    late = top_up_event(CUSTOMER, 2_500, NOW + timedelta(minutes=6))
    assert isinstance(translate(late), Unreadable)
    assert isinstance(translate(top_up_event(CUSTOMER, 5, NOW + timedelta(minutes=4))), Observed)


def test_a_test_event_is_not_believed_in_live() -> None:
    body = to_body(top_up_event(CUSTOMER, 2_500, NOW))
    assert isinstance(translate_event(body, NOW, livemode=True), Unreadable)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def replace_anywhere(value: Any, path: list[int], new: Any) -> Any:
    """Return the value with one place in it replaced."""
    if isinstance(value, dict) and value and path:
        key = sorted(value)[path[0] % len(value)]
        return {**value, key: replace_anywhere(value[key], path[1:], new)}
    if isinstance(value, list) and value and path:
        index = path[0] % len(value)
        return [*value[:index], replace_anywhere(value[index], path[1:], new), *value[index + 1 :]]
    return new


@given(
    st.sampled_from(STORY),
    st.lists(st.integers(0, 30), min_size=1, max_size=7),
    json_values,
)
def test_no_event_with_anything_anywhere_makes_it_raise(
    told: dict[str, Any], path: list[int], new: Any
) -> None:
    body = json.dumps(replace_anywhere(told, path, new)).encode(errors="surrogatepass")
    assert isinstance(translate_event(body, NOW, livemode=False), (Observed, Ignored, Unreadable))


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(body: bytes) -> None:
    assert isinstance(translate_event(body, NOW, livemode=False), Unreadable)


@pytest.mark.skipif(not PAYLOADS.exists(), reason="the sample payloads are not here")
def test_every_sample_event_is_translated_or_ignored() -> None:
    samples = sorted(PAYLOADS.glob("s*/*.json"))
    assert samples
    for sample in samples:
        told = json.loads(sample.read_text())
        told["created"] = min(told["created"], int(NOW.timestamp()))
        translation = translate(told)
        assert not isinstance(translation, Unreadable), (sample.name, translation)
        ours = told["type"] in OBSERVERS
        assert ours or translation == Ignored(), (sample.name, translation)
