"""What a payment credits."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from libs.errors import DomainError, ErrorReason
from services.billing_gateway.domain.crediting import (
    Credit,
    CreditAllowance,
    CreditAmountPaid,
    CreditNothing,
    PlanCredit,
    decide_credit,
    require_same_payment,
)
from services.billing_gateway.domain.observations import PaymentPaid, PlanLine
from services.billing_gateway.domain.values import Payment, PaymentObject, Provider

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


def test_an_allowance_in_another_currency_is_refused() -> None:
    with pytest.raises(DomainError) as caught:
        decide_credit(replace(RENEWAL, currency_code="EUR"), PLANS, "")
    assert caught.value.reason is ErrorReason.CURRENCY_MISMATCH


@pytest.mark.parametrize(
    "change",
    [
        {"paid_micros": 1},
        {"currency_code": "EUR"},
        {"subscription_id": "sub_2"},
        {"organization_id": "org-2"},
    ],
)
def test_a_second_story_about_a_payment_is_refused(change: dict[str, object]) -> None:
    known = Payment(
        organization_id="org-1",
        provider=Provider.STRIPE,
        payment_id="stripe:in_1",
        subscription_id="sub_1",
        plan_id="pro",
        currency_code="USD",
        paid_micros=PAID,
        credited_micros=50_000_000,
        allowance_period_start_time=START,
        paid_time=START,
        revision=1,
        event_ids=("evt_1",),
        create_time=START,
    )
    require_same_payment(known, RENEWAL, "org-1")
    with pytest.raises(DomainError):
        require_same_payment(replace(known, **change), RENEWAL, "org-1")  # type: ignore[arg-type]
