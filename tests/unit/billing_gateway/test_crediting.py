"""What a payment credits."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from libs.errors import DomainError, ErrorReason
from services.billing_gateway.domain.crediting import (
    CreditAllowance,
    CreditAmountPaid,
    CreditNothing,
    PlanCredit,
    credited_micros,
    require_same_payment,
    takes_allowance,
)
from services.billing_gateway.domain.observations import PaymentObserved
from services.billing_gateway.domain.values import Payment, Provider

START = datetime(2026, 1, 1, tzinfo=UTC)
RENEWAL = PaymentObserved(
    payment_id="stripe:in_1",
    source_object_id="in_1",
    subscription_id="sub_1",
    customer_id="cus_1",
    claimed_organization_id="",
    plan_id="pro",
    currency_code="USD",
    paid_micros=20_000_000,
    renewed_period_start_time=START,
    paid_time=START,
)
EXTRA = replace(RENEWAL, renewed_period_start_time=None)
PLANS: dict[str, PlanCredit] = {
    "paid": CreditAmountPaid(),
    "pro": CreditAllowance(50_000_000, "USD"),
    "free": CreditNothing(),
}


@pytest.mark.parametrize(
    ("plan_id", "credited"),
    [("paid", 20_000_000), ("pro", 50_000_000), ("free", 0), ("unlisted", 20_000_000)],
)
def test_the_plan_decides(plan_id: str, credited: int) -> None:
    observed = replace(RENEWAL, plan_id=plan_id)
    assert credited_micros(observed, PLANS, allowance_taken=False) == credited


def test_an_allowance_is_given_once_for_a_period_and_only_for_a_renewal() -> None:
    assert credited_micros(RENEWAL, PLANS, allowance_taken=True) == 0
    assert credited_micros(EXTRA, PLANS, allowance_taken=False) == 0
    assert takes_allowance(RENEWAL, PLANS)
    assert not takes_allowance(EXTRA, PLANS)
    assert not takes_allowance(replace(RENEWAL, plan_id="paid"), PLANS)


def test_an_allowance_in_another_currency_is_refused() -> None:
    with pytest.raises(DomainError) as caught:
        credited_micros(replace(RENEWAL, currency_code="EUR"), PLANS, allowance_taken=False)
    assert caught.value.reason is ErrorReason.CURRENCY_MISMATCH


@pytest.mark.parametrize(
    "change", [{"paid_micros": 1}, {"currency_code": "EUR"}, {"subscription_id": "sub_2"}]
)
def test_a_second_story_about_a_payment_is_refused(change: dict[str, object]) -> None:
    known = Payment(
        organization_id="org-1",
        provider=Provider.STRIPE,
        payment_id="stripe:in_1",
        subscription_id="sub_1",
        plan_id="pro",
        currency_code="USD",
        paid_micros=20_000_000,
        credited_micros=50_000_000,
        allowance_period_start_time=START,
        paid_time=START,
        revision=1,
        event_ids=("evt_1",),
        create_time=START,
    )
    require_same_payment(known, RENEWAL)
    with pytest.raises(DomainError):
        require_same_payment(known, replace(RENEWAL, **change))  # type: ignore[arg-type]
