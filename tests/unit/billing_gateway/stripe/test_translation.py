"""The whole of the translation: amounts, modes, samples, and no input that makes it raise."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.simulators.stripe.objects import StripeObject
from dev.simulators.stripe.shapes import Shape, write_event
from libs.currencies import ISO_4217
from libs.ids import ID
from services.billing_gateway.domain.observations import (
    Ignored,
    Observed,
    PaymentPaid,
    Unreadable,
)
from services.billing_gateway.ports import EventIdentity
from services.billing_gateway.stripe.currencies import MICROS_PER_UNIT, from_micros, to_micros
from services.billing_gateway.stripe.provider import StripeProvider
from services.billing_gateway.stripe.translation import OBSERVERS, translate_event
from tests.unit.billing_gateway.stripe.telling import (
    CHARGE,
    DISPUTE,
    INTENT,
    INVOICE,
    INVOICE_PAYMENT,
    NOW,
    REFUND,
    RULES,
    SESSION,
    SUBSCRIPTION,
    WARNING,
    event,
    observed,
    translate,
)

PAYLOADS = Path(__file__).parents[5] / "shared" / "payloads" / "stripe"
# Whose events are about which object.
OBJECT_OF: dict[str, StripeObject] = {
    "customer.subscription.": SUBSCRIPTION,
    "checkout.session.completed": SESSION,
    "checkout.session.async_payment_succeeded": SESSION,
    "checkout.session.async_payment_failed": replace(SESSION, payment_status="unpaid"),
    "checkout.session.expired": replace(SESSION, payment_status="unpaid", status="expired"),
    "invoice.": INVOICE,
    "invoice_payment.": INVOICE_PAYMENT,
    "payment_intent.": INTENT,
    "refund.": REFUND,
    "charge.refund.": REFUND,
    "charge.refunded": CHARGE,
    "charge.dispute.": replace(DISPUTE, moved=[-2_500, 2_500]),
    "radar.early_fraud_warning.": WARNING,
}


def every_event() -> Iterator[dict[str, Any]]:
    for event_type in OBSERVERS:
        [found] = [each for prefix, each in OBJECT_OF.items() if event_type.startswith(prefix)]
        yield from (event(event_type, found, shape=shape) for shape in Shape)


EVENTS = list(every_event())
PROVIDER = StripeProvider(
    webhook_secrets=(), signature_tolerance=timedelta(), rules=RULES, api=None
)
LATER = NOW + timedelta(days=400)
# Of the samples, one is of an invoice without a subscription, and one of a session that saves a
# card.
READ = OBSERVERS.keys() - {"invoice.payment_action_required"}
EVENT_OF = {
    "charge": "charge.refunded",
    "dispute": "charge.dispute.updated",
    "invoice": "invoice.paid",
    "payment_intent": "payment_intent.succeeded",
    "subscription": "customer.subscription.updated",
}


@pytest.mark.parametrize("told", EVENTS, ids=lambda told: f"{told['type']} {told['api_version']}")
def test_every_event_of_the_table_is_read(told: dict[str, Any]) -> None:
    assert all(str(found) and found.object_ids for found in observed(told))


def test_each_flow_of_money_has_one_source() -> None:
    sources = [
        told["type"]
        for told in EVENTS
        for found in observed(told)
        if isinstance(found, PaymentPaid)
    ]
    assert (
        sorted(sources[::2])
        == sorted(sources[1::2])
        == [
            "checkout.session.async_payment_succeeded",
            "checkout.session.completed",
            "invoice.paid",
        ]
    )


@pytest.mark.parametrize(
    ("currency", "amount", "micros"),
    [("usd", 1, 10_000), ("jpy", 500, 500_000_000), ("kwd", 1_234, 1_234_000), ("huf", 5, 50_000)],
)
def test_amounts_are_converted_by_the_providers_own_table(
    currency: str, amount: int, micros: int
) -> None:
    told = event("checkout.session.completed", replace(SESSION, amount=amount, currency=currency))
    paid, _ = observed(told)
    assert isinstance(paid, PaymentPaid)
    assert paid.paid_micros == micros


def test_what_is_converted_a_wallet_can_stand_in() -> None:
    assert set(MICROS_PER_UNIT) <= ISO_4217


@given(st.sampled_from(sorted(MICROS_PER_UNIT)), st.integers(0, 99_999_999))
def test_every_amount_comes_back_as_it_was(currency_code: str, amount: int) -> None:
    assert from_micros(to_micros(amount, currency_code), currency_code) == amount


@pytest.mark.parametrize(("micros", "code"), [(5_000, "USD"), (10_000, "JPY"), (10**6, "ISK")])
def test_what_stripe_cannot_be_told_is_refused(micros: int, code: str) -> None:
    with pytest.raises(ValueError, match=code):
        from_micros(micros, code)


@pytest.mark.parametrize("told", EVENTS[::2], ids=lambda told: str(told["type"]))
def test_a_live_event_is_not_believed_in_test(told: dict[str, Any]) -> None:
    assert isinstance(translate(told | {"livemode": True}), Unreadable)


@pytest.mark.parametrize("told", EVENTS[::2], ids=lambda told: str(told["type"]))
def test_a_test_event_is_not_believed_in_live(told: dict[str, Any]) -> None:
    live = replace(RULES, livemode=True)
    assert isinstance(translate_event(json.dumps(told).encode(), NOW, live), Unreadable)


@pytest.mark.parametrize(
    "event_type", ["customer.tax_id.created", "charge.succeeded", "customer.subscription.x"]
)
def test_any_other_event_is_no_concern_of_ours(event_type: str) -> None:
    assert translate(event(event_type, SUBSCRIPTION)) == Ignored()


def test_a_thin_event_is_not_read() -> None:
    assert isinstance(translate({"object": "v2.core.event", "id": "evt_1"}), Unreadable)


def test_a_key_that_is_given_twice_is_not_read() -> None:
    body = json.dumps(EVENTS[0])
    doubled = f'{{"livemode": true, {body[1:]}'.encode()
    assert isinstance(translate_event(doubled, NOW, RULES), Unreadable)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**300)
    | st.floats()
    | st.text()
    | st.sampled_from(["paid", "won", "usd", "org-1", "complete", "subscription"]),
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
    st.sampled_from(EVENTS),
    st.lists(
        st.tuples(st.lists(st.integers(0, 30), min_size=1, max_size=7), json_values),
        min_size=1,
        max_size=3,
    ),
)
def test_no_event_with_anything_anywhere_makes_it_raise(
    told: dict[str, Any], changes: list[tuple[list[int], Any]]
) -> None:
    for path, new in changes:
        told = replace_anywhere(told, path, new)
    body = json.dumps(told).encode(errors="surrogatepass")
    identity = PROVIDER.identify(body)
    assert identity is None or ID.fullmatch(identity.event_id)
    match translate_event(body, NOW, RULES):
        case Observed(observations):
            # What is read can be named, found again and kept.
            assert all(str(found) and any(found.object_ids) for found in observations)
        case translation:
            assert isinstance(translation, (Ignored, Unreadable))


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(body: bytes) -> None:
    assert isinstance(translate_event(body, NOW, RULES), Unreadable)
    assert PROVIDER.identify(body) is None


@pytest.mark.parametrize("told", EVENTS, ids=lambda told: f"{told['type']} {told['api_version']}")
def test_an_event_is_identified_by_its_id_and_type(told: dict[str, Any]) -> None:
    identity = PROVIDER.identify(json.dumps(told).encode())
    assert identity == EventIdentity(told["id"], told["type"])


@pytest.mark.skipif(not PAYLOADS.exists(), reason="the sample payloads are not here")
def test_every_sample_event_is_translated_or_ignored() -> None:
    samples = sorted(PAYLOADS.glob("s*/*.json"))
    assert samples
    for sample in samples:
        told = json.loads(sample.read_text())
        translation = translate(told, LATER)
        is_read = told["type"] in READ and "setup" not in sample.name
        assert isinstance(translation, Observed if is_read else Ignored), sample.name


@pytest.mark.skipif(not PAYLOADS.exists(), reason="the sample payloads are not here")
def test_every_sample_object_is_read_in_an_event() -> None:
    samples = sorted(PAYLOADS.glob("dj*/*.json"))
    assert samples
    for sample in samples:
        found = json.loads(sample.read_text())
        told = write_event(EVENT_OF[found["object"]], found, NOW)
        assert isinstance(translate(told, LATER), Observed), sample.name
