"""What Stripe's events and answers say of Checkout sessions."""

from dataclasses import replace
from typing import Any

import pytest

from dev.simulators.stripe.objects import Session
from dev.simulators.stripe.shapes import write
from services.billing_gateway.domain.observations import (
    CheckoutObserved,
    Claim,
    Ignored,
    PaymentPaid,
    PaymentProgressed,
    SubscriptionClaimed,
)
from services.billing_gateway.domain.values import CheckoutState, PaymentObject, PaymentProgress
from services.billing_gateway.stripe.translation.checkouts import observe_checkout
from services.billing_gateway.stripe.translation.told import Told
from tests.unit.billing_gateway.stripe.telling import NOW, SESSION, event, observed, only, translate

COMPLETED = "checkout.session.completed"
SUCCEEDED = "checkout.session.async_payment_succeeded"
FAILED = "checkout.session.async_payment_failed"
EXPIRED = "checkout.session.expired"
CLAIM = Claim("org-1")
UNPAID = replace(SESSION, payment_status="unpaid")
SUBSCRIBING = replace(SESSION, mode="subscription", intent_id="", subscription_id="sub_1")
PAID = PaymentPaid(
    objects=(PaymentObject("pi_1", 0), PaymentObject("cs_1", 4)),
    subscription_id="",
    customer_id="cus_1",
    checkout_id="cs_1",
    claim=CLAIM,
    lines=(),
    currency_code="USD",
    paid_micros=25_000_000,
    paid_time=NOW,
)
PENDING = PaymentProgressed(
    objects=(PaymentObject("pi_1", 1), PaymentObject("cs_1", 4)),
    subscription_id="",
    customer_id="cus_1",
    claim=CLAIM,
    progress=PaymentProgress.PENDING,
    provider_time=NOW,
    rank=0,
)
FAILURE = replace(PENDING, progress=PaymentProgress.FAILED, rank=1)


def top_up(state: CheckoutState) -> CheckoutObserved:
    return CheckoutObserved("cs_1", state, CLAIM, 25_000_000, "USD")


@pytest.mark.parametrize("kind", [COMPLETED, SUCCEEDED])
def test_a_paid_session_credits_its_payment(kind: str) -> None:
    assert observed(event(kind, SESSION)) == (PAID, top_up(CheckoutState.COMPLETED))


def test_a_session_with_an_invoice_is_the_same_flow_of_money() -> None:
    paid, _ = observed(event(COMPLETED, replace(SESSION, invoice_id="in_1")))
    assert paid == replace(PAID, objects=(*PAID.objects, PaymentObject("in_1", 2)))


@pytest.mark.parametrize(
    ("kind", "progress", "state"),
    [
        (COMPLETED, PENDING, CheckoutState.PENDING),
        (FAILED, FAILURE, CheckoutState.FAILED),
        (EXPIRED, FAILURE, CheckoutState.FAILED),
    ],
)
def test_an_unpaid_session_credits_nothing(
    kind: str, progress: PaymentProgressed, state: CheckoutState
) -> None:
    assert observed(event(kind, UNPAID)) == (progress, top_up(state))


def test_an_expired_session_may_never_have_had_a_payment() -> None:
    told = event(EXPIRED, replace(UNPAID, intent_id=""))
    assert only(told) == top_up(CheckoutState.FAILED)


def test_a_session_without_a_status_of_its_own_is_what_its_event_says() -> None:
    told = event(COMPLETED, UNPAID)
    del told["data"]["object"]["status"]
    assert observed(told) == (PENDING, top_up(CheckoutState.PENDING))


@pytest.mark.parametrize(
    "free",
    [
        replace(SESSION, payment_status="no_payment_required", amount=0, intent_id=""),
        replace(SESSION, amount=0),
    ],
)
def test_a_session_of_nothing_is_complete_and_credits_nothing(free: Session) -> None:
    found = only(event(COMPLETED, free))
    assert found == replace(top_up(CheckoutState.COMPLETED), amount_micros=0)


@pytest.mark.parametrize("kind", [COMPLETED, SUCCEEDED, FAILED])
def test_a_session_that_made_a_subscription_says_whose_it_is(kind: str) -> None:
    assert observed(event(kind, SUBSCRIBING)) == (
        SubscriptionClaimed("sub_1", "cus_1", "cs_1", CLAIM),
        CheckoutObserved("cs_1", CheckoutState.COMPLETED, CLAIM),
    )


def test_an_expired_session_made_no_subscription() -> None:
    told = event(EXPIRED, replace(SUBSCRIBING, subscription_id="", status="expired"))
    assert only(told) == CheckoutObserved("cs_1", CheckoutState.FAILED, CLAIM)


def test_a_session_that_saves_a_card_is_no_concern_of_ours() -> None:
    assert translate(event(COMPLETED, replace(SESSION, mode="setup"))) == Ignored()


@pytest.mark.parametrize("mode", ["payment", "subscription"])
def test_a_session_of_nobody_is_told_all_the_same(mode: str) -> None:
    told = event(COMPLETED, replace(SUBSCRIBING, client_reference_id="", mode=mode, intent_id="pi"))
    assert [found for found in observed(told) if getattr(found, "claim", None)] == []


def test_a_proof_comes_before_a_bare_reference() -> None:
    metadata = {"organization_id": "org-2", "tollgate_intent": "1" * 32, "tollgate_proof": "2" * 32}
    paid, _ = observed(event(COMPLETED, replace(SESSION, metadata=metadata)))
    assert paid == replace(PAID, claim=Claim("org-2", "1" * 32, "2" * 32))


def test_a_reference_comes_before_bare_metadata() -> None:
    paid, _ = observed(event(COMPLETED, replace(SESSION, metadata={"organization_id": "org-2"})))
    assert paid == PAID
    bare = replace(SESSION, metadata={"organization_id": "org-2"}, client_reference_id="")
    paid, _ = observed(event(COMPLETED, bare))
    assert paid == replace(PAID, claim=Claim("org-2"))


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"status": "open", "payment_intent": None}, CheckoutState.OPEN),
        ({"status": "expired", "payment_intent": None}, CheckoutState.FAILED),
        ({"payment_intent": {"id": "pi_1", "status": "processing"}}, CheckoutState.PENDING),
        ({"payment_intent": {"id": "pi_1", "status": "canceled"}}, CheckoutState.FAILED),
        (
            {"payment_intent": {"id": "pi_1", "status": "requires_payment_method"}},
            CheckoutState.FAILED,
        ),
        ({"payment_intent": {"id": "pi_1"}, "payment_status": "paid"}, CheckoutState.COMPLETED),
    ],
)
def test_an_answer_says_how_a_top_up_stands(changes: dict[str, Any], state: CheckoutState) -> None:
    *_, found = observe_checkout(Told(write(UNPAID) | changes, NOW, NOW))
    assert found == top_up(state)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("open", CheckoutState.OPEN),
        ("expired", CheckoutState.FAILED),
        ("complete", CheckoutState.COMPLETED),
    ],
)
def test_an_answer_says_how_a_subscribing_stands(status: str, state: CheckoutState) -> None:
    *_, found = observe_checkout(Told(write(replace(SUBSCRIBING, status=status)), NOW, NOW))
    assert found == CheckoutObserved("cs_1", state, CLAIM)
