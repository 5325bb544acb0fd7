"""What a payment credits."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import DomainError, ErrorReason
from services.billing_gateway.domain.crediting import (
    Credit,
    CreditAllowance,
    CreditAmountPaid,
    CreditNothing,
    PlanCredit,
    PlanTold,
    decide_credit,
    needs_plan,
    plan_at,
)
from services.billing_gateway.domain.observations import PaymentPaid, PlanLine
from services.billing_gateway.domain.values import PaymentObject

START = datetime(2026, 1, 1, tzinfo=UTC)
PAID = 20_000_000
RENEWAL = PaymentPaid(
    objects=(PaymentObject("in_1", 0),),
    subscription_id="sub_1",
    customer_id="cus_1",
    checkout_id="",
    claim=None,
    lines=(PlanLine("pro", START),),
    currency_code="USD",
    paid_micros=PAID,
    paid_time=START,
)
PLANS: dict[str, PlanCredit] = {
    "paid": CreditAmountPaid(),
    "pro": CreditAllowance(50_000_000, "USD"),
    "free": CreditNothing(),
    "pro-plus": CreditAllowance(90_000_000, "USD"),
}


def invoice(*lines: PlanLine) -> PaymentPaid:
    return replace(RENEWAL, lines=lines)


@pytest.mark.parametrize(
    ("plan_id", "credited"), [("paid", PAID), ("pro", 50_000_000), ("free", 0), ("unlisted", PAID)]
)
def test_the_plan_decides(plan_id: str, credited: int) -> None:
    credit = decide_credit(invoice(PlanLine(plan_id, START)), PLANS, "")
    assert credit.plan_id == plan_id
    assert credit.micros == credited


@pytest.mark.parametrize(
    "lines",
    [
        (PlanLine("add-on", START), PlanLine("free", START)),
        (PlanLine("free", START), PlanLine("add-on", START)),
        (PlanLine("free", None),),
    ],
)
def test_a_listed_plan_decides_whichever_line_it_stands_on(lines: tuple[PlanLine, ...]) -> None:
    assert decide_credit(invoice(*lines), PLANS, "") == Credit("free", 0)


@pytest.mark.parametrize(
    ("renewed", "credit"),
    [
        ("pro-plus", Credit("pro-plus", 90_000_000, START)),
        ("paid", Credit("paid", PAID)),
        ("unlisted", Credit("unlisted", PAID)),
    ],
)
def test_a_renewal_after_a_change_of_plan_is_credited_by_the_new_plan(
    renewed: str, credit: Credit
) -> None:
    """Stripe's next invoice has prorations of both plans, unless it is told otherwise."""
    left, taken = PlanLine("pro", None), PlanLine(renewed, None)
    told = invoice(left, taken, PlanLine(renewed, START))
    assert decide_credit(told, PLANS, "") == credit


def test_a_change_of_plan_that_is_paid_at_once_is_no_renewal_of_either() -> None:
    told = invoice(PlanLine("pro", None), PlanLine("pro-plus", None))
    assert decide_credit(told, PLANS, "").micros == 0
    with pytest.raises(DomainError, match="credit differently"):
        decide_credit(invoice(PlanLine("pro", None), PlanLine("paid", None)), PLANS, "")


def test_without_a_plan_on_its_lines_the_subscriptions_own_decides() -> None:
    assert decide_credit(invoice(), PLANS, "free") == Credit("free", 0)
    assert decide_credit(invoice(), {}, "") == Credit("", PAID)


@pytest.mark.parametrize(
    "lines", [(), (PlanLine("free", START), PlanLine("pro", START))], ids=["no plan", "two plans"]
)
def test_nothing_is_credited_by_guessing(lines: tuple[PlanLine, ...]) -> None:
    with pytest.raises(DomainError) as caught:
        decide_credit(invoice(*lines), PLANS, "")
    assert caught.value.reason is ErrorReason.INVALID_STATE


def test_a_top_up_credits_what_was_paid() -> None:
    top_up = replace(RENEWAL, subscription_id="", lines=())
    assert decide_credit(top_up, PLANS, "free") == Credit("", PAID)


def test_an_allowance_is_given_for_a_renewal_only() -> None:
    later = START + timedelta(days=1)
    renewal = invoice(PlanLine("pro", later), PlanLine("pro", START), PlanLine("pro", None))
    assert decide_credit(renewal, PLANS, "") == Credit("pro", 50_000_000, START)
    assert decide_credit(invoice(PlanLine("pro", None)), PLANS, "") == Credit("pro", 0)
    # The period is the plan's own, and not that of what else stands on the invoice.
    with_add_on = invoice(PlanLine("add-on", START), PlanLine("pro", later))
    assert decide_credit(with_add_on, PLANS, "") == Credit("pro", 50_000_000, later)


def test_an_allowance_in_another_currency_is_refused() -> None:
    with pytest.raises(DomainError) as caught:
        decide_credit(replace(RENEWAL, currency_code="EUR"), PLANS, "")
    assert caught.value.reason is ErrorReason.CURRENCY_MISMATCH


def test_an_allowance_of_a_line_without_a_plan_is_that_of_the_subscriptions_plan() -> None:
    sale = invoice(PlanLine("", START))
    assert decide_credit(sale, PLANS, "pro") == Credit("pro", 50_000_000, START)
    assert decide_credit(sale, PLANS, "free") == Credit("free", 0)
    # What no line renews is no period, whatever the plan.
    assert decide_credit(invoice(), PLANS, "pro") == Credit("pro", 0)


def test_only_what_no_line_names_needs_the_subscriptions_plan() -> None:
    assert needs_plan(invoice()) is needs_plan(invoice(PlanLine("", START))) is True
    assert needs_plan(RENEWAL) is False
    assert needs_plan(replace(RENEWAL, subscription_id="", lines=())) is False


DAYS = st.integers(0, 5).map(lambda days: START + timedelta(days=days))


@given(st.lists(st.builds(PlanTold, DAYS, st.sampled_from("abc"))), DAYS)
def test_the_plan_is_the_one_that_was_told_last_by_then(
    told: list[PlanTold], time: datetime
) -> None:
    plan_id = plan_at(told, "linked", time)
    assert plan_id == plan_at(told[::-1] + told, "linked", time)
    before = [each for each in told if each.time <= time]
    if before:
        assert PlanTold(max(each.time for each in before), plan_id) in told
    elif told:
        assert PlanTold(min(each.time for each in told), plan_id) in told
    else:
        assert plan_id == "linked"
