"""What is told of flows of money, and rows that prove to be one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.errors import DomainError, ErrorReason
from services.billing_gateway.domain.flows import (
    absorb,
    flow_name,
    object_of,
    plan_merge,
    tell_paid,
    tell_progress,
    tell_refunded_in_all,
)
from services.billing_gateway.domain.observations import (
    PaymentPaid,
    PaymentProgressed,
    RefundedInAll,
)
from services.billing_gateway.domain.values import (
    Payment,
    PaymentObject,
    PaymentProgress,
    Provider,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
PAID = PaymentPaid(
    objects=(PaymentObject("pi_1", 0), PaymentObject("cs_1", 4)),
    subscription_id="",
    customer_id="cus_1",
    checkout_id="cs_1",
    claim=None,
    lines=(),
    currency_code="USD",
    paid_micros=20_000_000,
    paid_time=START,
)
UNKNOWN = Payment(Provider.STRIPE, "stripe:pi_1")
FEW = st.integers(0, 2)
PROGRESSED = st.builds(
    PaymentProgressed,
    objects=st.just(PAID.objects),
    subscription_id=st.sampled_from(["", "sub_1", "sub_2"]),
    customer_id=st.sampled_from(["", "cus_1", "cus_2"]),
    claim=st.none(),
    progress=st.sampled_from(PaymentProgress),
    provider_time=FEW.map(lambda seconds: START + timedelta(seconds=seconds)),
    rank=FEW,
    for_good=st.booleans(),
)
Told = PaymentPaid | PaymentProgressed | RefundedInAll


@st.composite
def stories(draw: st.DrawFn) -> list[Told]:
    """Return what is told of one flow; all of its totals are in one currency."""
    totals = st.builds(
        RefundedInAll,
        objects=st.just(PAID.objects),
        amount_micros=st.integers(1, 3),
        currency_code=st.just(draw(st.sampled_from(["USD", "EUR"]))),
        provider_time=FEW.map(lambda seconds: START + timedelta(seconds=seconds)),
    )
    return draw(st.lists(st.just(PAID) | PROGRESSED | totals, min_size=1, max_size=6))


def tell(payment: Payment, told: Told) -> Payment:
    match told:
        case PaymentPaid():
            return tell_paid(payment, told)
        case PaymentProgressed():
            return tell_progress(payment, told)
        case RefundedInAll():
            return tell_refunded_in_all(payment, told)


@settings(max_examples=300)
@given(stories(), st.data())
def test_what_is_told_ends_the_same_in_any_order_in_any_rows(
    told: list[Told], data: st.DataObject
) -> None:
    """Told to one row in order, or to several in any order that are then found to be one."""
    expected = reduce(tell, told, UNKNOWN)
    again = data.draw(st.lists(st.sampled_from(told), max_size=3))
    shuffled = data.draw(st.permutations(told + again))
    cut = data.draw(st.integers(0, len(shuffled)))
    rows = [
        reduce(tell, shuffled[:cut], UNKNOWN),
        reduce(tell, shuffled[cut:], replace(UNKNOWN, payment_id="stripe:cs_1")),
    ]
    merge = plan_merge(data.draw(st.permutations(rows)))
    merged = reduce(absorb, merge.absorbed, merge.survivor)
    assert replace(merged, payment_id=expected.payment_id) == expected


def test_a_flow_is_named_by_its_first_object() -> None:
    objects = [PaymentObject("ch_1", 3), PaymentObject("pi_2", 1), PaymentObject("pi_1", 1)]
    assert flow_name(Provider.STRIPE, objects) == "stripe:pi_1"
    assert flow_name(Provider.PAYPAL, [*objects, PaymentObject("x", 0)]) == "paypal:x"


def test_an_object_is_named_with_its_provider_or_without_but_never_with_another() -> None:
    assert object_of(Provider.STRIPE, "stripe:pi:1") == "pi:1"
    assert object_of(Provider.STRIPE, "pi_1") == "pi_1"
    for name in ("paypal:pi_1", "stripe:", ":pi_1", ""):
        assert object_of(Provider.STRIPE, name) is None


def test_what_stays_takes_over_the_owner_the_events_and_the_earliest_time() -> None:
    later = START + timedelta(days=1)
    paid = replace(tell_paid(UNKNOWN, PAID), event_ids=("evt_1", "evt_2"), create_time=later)
    other = replace(
        UNKNOWN, organization_id="org-1", event_ids=("evt_2", "evt_3"), create_time=START
    )
    both = absorb(paid, other)
    assert both.organization_id == "org-1"
    assert both.event_ids == ("evt_1", "evt_2", "evt_3")
    assert both.create_time == START
    assert absorb(replace(paid, organization_id="org-1"), UNKNOWN).organization_id == "org-1"


def test_the_row_that_the_wallet_was_told_of_stays() -> None:
    credited = replace(UNKNOWN, payment_id="z", organization_id="org-1", credited_micros=0)
    paid = replace(UNKNOWN, payment_id="y", paid_micros=1)
    owned = replace(UNKNOWN, payment_id="x", organization_id="org-1")
    rows = [UNKNOWN, owned, paid, credited]
    assert plan_merge(rows).survivor == credited
    assert plan_merge(rows[:3]).survivor == paid
    assert plan_merge(rows[:2]).survivor == owned
    assert plan_merge([UNKNOWN, replace(UNKNOWN, payment_id="stripe:a")]).survivor.payment_id < (
        UNKNOWN.payment_id
    )


def test_two_credits_or_two_owners_are_not_mended_by_a_rule() -> None:
    credited = replace(UNKNOWN, organization_id="org-1", credited_micros=1)
    for other in (
        replace(credited, payment_id="stripe:in_1"),
        replace(UNKNOWN, payment_id="stripe:in_1", organization_id="org-2"),
    ):
        with pytest.raises(DomainError) as caught:
            plan_merge([credited, other])
        assert caught.value.reason is ErrorReason.INVALID_STATE


@pytest.mark.parametrize(
    "change", [{"paid_micros": 1}, {"currency_code": "EUR"}, {"subscription_id": "sub_2"}]
)
def test_a_second_story_about_a_payment_is_refused(change: dict[str, object]) -> None:
    known = tell_paid(UNKNOWN, PAID)
    assert tell_paid(known, replace(PAID, paid_time=START + timedelta(days=1))) == known
    other = replace(PAID, **change)  # type: ignore[arg-type]
    with pytest.raises(DomainError) as caught:
        tell_paid(known, other)
    assert caught.value.reason is ErrorReason.REFERENCE_CONFLICT
    with pytest.raises(DomainError):
        absorb(known, tell_paid(replace(UNKNOWN, payment_id="stripe:in_1"), other))


def test_a_total_in_another_currency_counts_for_all_that_was_paid() -> None:
    total = RefundedInAll(PAID.objects, 1, "EUR", START)
    for payment in (
        tell_refunded_in_all(tell_paid(UNKNOWN, PAID), total),
        tell_paid(tell_refunded_in_all(UNKNOWN, total), PAID),
        absorb(tell_paid(UNKNOWN, PAID), tell_refunded_in_all(UNKNOWN, total)),
    ):
        assert payment.refunded_in_all_micros == PAID.paid_micros
        assert payment.currency_code == "USD"
