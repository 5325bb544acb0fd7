"""Checkouts: the same wish, how far it has come, and what is still to be asked."""

from dataclasses import replace
from datetime import timedelta
from itertools import accumulate, pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing_gateway.domain.checkouts import (
    Errand,
    advance,
    differing_fields,
    next_errand,
    next_look_in,
    restore,
)
from services.billing_gateway.domain.observations import (
    CheckoutObserved,
    Claim,
    PaymentPaid,
    SubscriptionClaimed,
)
from services.billing_gateway.domain.values import (
    Checkout,
    CheckoutContent,
    CheckoutKind,
    CheckoutState,
    PaymentObject,
    Provider,
)
from tests.support.stack import now

TOP_UP = CheckoutContent(
    kind=CheckoutKind.TOP_UP,
    provider=Provider.PAYPAL,
    amount_micros=25_000_000,
    currency_code="USD",
    plan_id="",
    return_url="https://example.com/done",
    cancel_url="https://example.com/back",
)
OPEN = Checkout("org-1", "ref-1", "intent", TOP_UP, CheckoutState.OPEN, checkout_id="ORDER1")
PAID = PaymentPaid(
    objects=(PaymentObject("CAPTURE1", 0),),
    subscription_id="",
    customer_id="",
    checkout_id="ORDER1",
    claim=None,
    lines=(),
    currency_code="USD",
    paid_micros=25_000_000,
    paid_time=now(),
)
FIRST, DAY = timedelta(minutes=15), timedelta(days=1)


def stands(state: CheckoutState) -> CheckoutObserved:
    return CheckoutObserved("ORDER1", state, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("provider", Provider.STRIPE),
        ("amount_micros", 1),
        ("currency_code", "EUR"),
        ("plan_id", "P-1"),
        ("return_url", "https://example.com/"),
        ("cancel_url", "https://example.com/"),
    ],
)
def test_whatever_else_is_asked_for_is_named(field: str, value: object) -> None:
    assert differing_fields(TOP_UP, TOP_UP) == ()
    assert differing_fields(TOP_UP, replace(TOP_UP, **{field: value})) == (field,)  # type: ignore[arg-type]


TOLD = st.one_of(
    st.sampled_from(
        [
            CheckoutState.OPEN,
            CheckoutState.APPROVED,
            CheckoutState.PENDING,
            CheckoutState.FAILED,
            CheckoutState.COMPLETED,
        ]
    ).map(stands),
    st.just(PAID),
    st.just(SubscriptionClaimed("I-1", "", "ORDER1", None)),
)


@given(told=st.lists(TOLD), order=st.randoms(use_true_random=False))
def test_a_checkout_ends_the_same_whatever_comes_first_or_twice(
    told: list[CheckoutObserved | PaymentPaid | SubscriptionClaimed], order: Random
) -> None:
    shuffled = [*told, *told]
    order.shuffle(shuffled)
    [*_, in_order] = accumulate(told, advance, initial=OPEN)
    [*_, in_disorder] = accumulate(shuffled, advance, initial=OPEN)
    assert in_order == in_disorder


def test_a_checkout_only_goes_on() -> None:
    order = (
        CheckoutState.REFUSED,
        CheckoutState.WANTED,
        CheckoutState.OPEN,
        CheckoutState.APPROVED,
        CheckoutState.PENDING,
        CheckoutState.FAILED,
        CheckoutState.COMPLETED,
    )
    for sooner, later in pairwise(order):
        assert advance(replace(OPEN, state=sooner), stands(later)).state is later
        assert advance(replace(OPEN, state=later), stands(sooner)).state is later


def test_only_a_top_up_of_something_is_restored() -> None:
    claim = Claim("org-1", "intent", "proof")
    told = CheckoutObserved("ORDER1", CheckoutState.COMPLETED, claim, 25_000_000, "USD")
    bare = replace(TOP_UP, return_url="", cancel_url="")
    restored = replace(OPEN, reference_id="restored:intent", content=bare)
    assert restore(Provider.PAYPAL, told, claim) == restored
    assert restore(Provider.PAYPAL, replace(told, amount_micros=1), claim)
    for amount_micros in (None, 0, -1):
        assert restore(Provider.PAYPAL, replace(told, amount_micros=amount_micros), claim) is None


def test_money_that_was_paid_ends_it_even_after_a_failure() -> None:
    failed = advance(OPEN, stands(CheckoutState.FAILED))
    assert next_errand(failed) is None
    paid = advance(failed, PAID)
    assert (paid.state, paid.payment_object_id) == (CheckoutState.COMPLETED, "CAPTURE1")


@pytest.mark.parametrize(
    ("checkout", "errand"),
    [
        (replace(OPEN, state=CheckoutState.WANTED), None),
        (replace(OPEN, state=CheckoutState.REFUSED), None),
        (OPEN, Errand.LOOK),
        (replace(OPEN, state=CheckoutState.APPROVED), Errand.CAPTURE),
        (replace(OPEN, state=CheckoutState.PENDING), Errand.LOOK),
        (replace(OPEN, state=CheckoutState.FAILED), None),
        # The word of its money may have been lost.
        (replace(OPEN, state=CheckoutState.COMPLETED), Errand.LOOK),
        (advance(OPEN, PAID), None),
        (replace(OPEN, state=CheckoutState.COMPLETED, subscription_id="I-1"), None),
        (
            replace(
                OPEN,
                state=CheckoutState.APPROVED,
                content=replace(TOP_UP, kind=CheckoutKind.SUBSCRIPTION),
            ),
            Errand.LOOK,
        ),
    ],
)
def test_what_is_still_to_be_asked(checkout: Checkout, errand: Errand | None) -> None:
    assert next_errand(checkout) is errand


def test_looks_become_rarer_and_end() -> None:
    looks = [timedelta()]
    while (wait := next_look_in(CheckoutState.OPEN, looks[-1], FIRST)) is not None:
        looks.append(looks[-1] + wait)
    waits = [later - sooner for sooner, later in pairwise(looks)]
    assert waits[:6] == [FIRST, FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST, 16 * FIRST]
    assert max(waits) == timedelta(hours=6)
    assert 7 * DAY < looks[-1] < 7.5 * DAY
    for state, days in ((CheckoutState.OPEN, 7), (CheckoutState.PENDING, 30)):
        assert next_look_in(state, days * DAY, FIRST) == timedelta(hours=6)
        assert next_look_in(state, days * DAY + FIRST, FIRST) is None
