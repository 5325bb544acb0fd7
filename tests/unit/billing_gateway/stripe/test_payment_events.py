"""What Stripe's events say of invoices and payments, in both shapes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dev.simulators.stripe.shapes import Shape, write
from services.billing_gateway.domain.observations import (
    Claim,
    Ignored,
    PaymentLinked,
    PaymentPaid,
    PaymentProgressed,
    PlanLine,
    SubscriptionPaid,
    Unreadable,
)
from services.billing_gateway.domain.values import PaymentObject, PaymentProgress
from tests.unit.billing_gateway.stripe.telling import (
    INTENT,
    INVOICE,
    INVOICE_PAYMENT,
    NOW,
    PERIOD_END,
    event,
    observed,
    only,
    translate,
)

PAID = PaymentPaid(
    objects=(PaymentObject("in_1", 0),),
    subscription_id="sub_1",
    customer_id="cus_1",
    checkout_id="",
    claim=Claim("org-1"),
    lines=(PlanLine("price_pro", NOW),),
    currency_code="USD",
    paid_micros=20_000_000,
    paid_time=NOW,
)
RENEWED = SubscriptionPaid("sub_1", "cus_1", Claim("org-1"), NOW, PERIOD_END, moves_state=False)


def test_an_invoice_is_read_in_its_new_and_its_old_shape() -> None:
    assert observed(event("invoice.paid", INVOICE)) == (PAID, RENEWED)
    assert observed(event("invoice.paid", INVOICE, shape=Shape.OLD)) == (PAID, RENEWED)


@pytest.mark.parametrize("shape", Shape)
def test_the_first_period_is_bought_as_the_later_ones_are(shape: Shape) -> None:
    for reason in ("subscription_create", "subscription_cycle"):
        told = event("invoice.paid", replace(INVOICE, billing_reason=reason), shape=shape)
        assert observed(told) == (PAID, RENEWED)


def test_an_invoice_may_say_itself_whose_it_is() -> None:
    parent = {"type": "subscription_details", "subscription_details": {"subscription": "sub_1"}}
    metadata = {"organization_id": "org-9"}
    paid, renewed = observed(event("invoice.paid", INVOICE, parent=parent, metadata=metadata))
    assert paid == replace(PAID, claim=Claim("org-9"))
    assert renewed == replace(RENEWED, claim=Claim("org-9"))


def test_an_old_invoice_names_its_payment() -> None:
    old = replace(INVOICE, intent_id="pi_1", charge_id="ch_1")
    paid, _ = observed(event("invoice.paid", old, shape=Shape.OLD))
    objects = (PaymentObject("in_1", 0), PaymentObject("pi_1", 1), PaymentObject("ch_1", 3))
    assert paid == replace(PAID, objects=objects)


def test_an_invoice_with_its_payments_names_them_all() -> None:
    payments = [
        {"payment": {"type": "payment_intent", "payment_intent": intent_id}}
        for intent_id in ("pi_1", "pi_2", "pi_1")
    ]
    paid, _ = observed(event("invoice.paid", INVOICE, payments={"data": payments}))
    objects = (PaymentObject("in_1", 0), PaymentObject("pi_1", 1), PaymentObject("pi_2", 1))
    assert paid == replace(PAID, objects=objects)


def test_an_invoice_of_nothing_pays_the_subscription_and_credits_nobody() -> None:
    assert only(event("invoice.paid", replace(INVOICE, amount_paid=0))) == RENEWED


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize(
    "changes",
    [
        {"billing_reason": "manual"},
        {"billing_reason": "subscription_update"},
        {"is_proration": True},
    ],
)
def test_what_renews_no_period_says_no_start_and_no_end(
    changes: dict[str, Any], shape: Shape
) -> None:
    paid, renewed = observed(event("invoice.paid", replace(INVOICE, **changes), shape=shape))
    assert paid == replace(PAID, lines=(PlanLine("price_pro", None),))
    assert renewed == replace(RENEWED, period_end_time=None)


def test_the_last_line_to_end_is_what_was_paid_for() -> None:
    lines = write(INVOICE)["lines"]
    [line] = lines["data"]
    longer = line | {"period": {"start": 1, "end": int(PERIOD_END.timestamp()) + 60}}
    told = event("invoice.paid", INVOICE, lines=lines | {"data": [longer, line]})
    _, renewed = observed(told)
    assert renewed == replace(RENEWED, period_end_time=PERIOD_END + timedelta(minutes=1))


def test_a_renewal_without_its_period_is_not_read() -> None:
    lines = write(INVOICE)["lines"]
    del lines["data"][0]["period"]
    told = event("invoice.paid", INVOICE, lines=lines)
    assert translate(told) == Unreadable("period.end is not a time")


def test_an_invoice_of_no_subscription_credits_nothing() -> None:
    assert translate(event("invoice.paid", INVOICE, parent=None)) == Ignored()


def test_money_from_the_future_came_when_it_was_heard_of() -> None:
    paid, renewed = observed(event("invoice.paid", INVOICE, NOW + timedelta(hours=1)))
    assert paid == PAID
    assert renewed == replace(RENEWED, provider_time=None)


def test_only_one_of_the_events_of_an_invoice_is_money() -> None:
    assert translate(event("invoice.payment_succeeded", INVOICE)) == Ignored()


def test_which_payment_paid_an_invoice_is_linked() -> None:
    assert only(event("invoice_payment.paid", INVOICE_PAYMENT)) == PaymentLinked(
        (PaymentObject("in_1", 2), PaymentObject("pi_1", 1))
    )
    charge = {"type": "charge", "charge": "ch_1"}
    assert only(event("invoice_payment.paid", INVOICE_PAYMENT, payment=charge)) == PaymentLinked(
        (PaymentObject("in_1", 2), PaymentObject("ch_1", 3))
    )


def test_an_invoice_paid_elsewhere_links_nothing() -> None:
    elsewhere = {"type": "payment_record", "payment_record": "pr_1"}
    told = event("invoice_payment.paid", INVOICE_PAYMENT, payment=elsewhere)
    assert translate(told) == Ignored()


@pytest.mark.parametrize(
    ("kind", "progress", "rank"),
    [
        ("created", PaymentProgress.PENDING, 0),
        ("processing", PaymentProgress.PENDING, 0),
        ("requires_action", PaymentProgress.PENDING, 0),
        ("amount_capturable_updated", PaymentProgress.PENDING, 0),
        ("partially_funded", PaymentProgress.PENDING, 0),
        ("succeeded", PaymentProgress.PENDING, 0),
        ("payment_failed", PaymentProgress.FAILED, 1),
        ("canceled", PaymentProgress.FAILED, 1),
    ],
)
def test_a_payment_intent_is_never_a_credit(
    kind: str, progress: PaymentProgress, rank: int
) -> None:
    assert only(event(f"payment_intent.{kind}", INTENT)) == PaymentProgressed(
        objects=(PaymentObject("pi_1", 1), PaymentObject("ch_1", 3)),
        subscription_id="",
        customer_id="cus_1",
        claim=None,
        progress=progress,
        provider_time=NOW,
        rank=rank,
    )


def test_an_old_payment_intent_names_its_invoice() -> None:
    old = replace(INTENT, invoice_id="in_1")
    found = only(event("payment_intent.succeeded", old, shape=Shape.OLD))
    assert isinstance(found, PaymentProgressed)
    assert PaymentObject("in_1", 2) in found.objects
