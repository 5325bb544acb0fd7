"""What PayPal's answers say of orders, payments and subscriptions."""

from dataclasses import replace
from typing import Any

import pytest

from dev.simulators.paypal import objects
from services.billing_gateway.domain.observations import (
    CheckoutObserved,
    Claim,
    ComponentObserved,
    PaymentPaid,
    PaymentProgressed,
    SubscriptionPaid,
    SubscriptionPaymentFailed,
)
from services.billing_gateway.domain.values import (
    CheckoutState,
    Component,
    ComponentKind,
    ComponentState,
    PaymentObject,
    PaymentProgress,
)
from services.billing_gateway.paypal.translation.orders import read_order
from services.billing_gateway.paypal.translation.payments import (
    read_capture,
    read_progress,
    read_sale,
)
from services.billing_gateway.paypal.translation.subscriptions import read_subscription
from tests.unit.billing_gateway.paypal.told import (
    CAPTURE,
    CLAIM,
    FAILING,
    NOW,
    ORDER,
    REFUND,
    SALE,
    SUBSCRIPTION,
    ago,
)

OURS = Claim(CLAIM)
PENDING, FAILED = PaymentProgress.PENDING, PaymentProgress.FAILED


def without(value: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: each for name, each in value.items() if name not in names}


@pytest.mark.parametrize(
    ("status", "progress"),
    [
        ("COMPLETED", None),
        ("PARTIALLY_REFUNDED", None),
        ("REFUNDED", None),
        ("DECLINED", FAILED),
        ("DENIED", FAILED),
        ("FAILED", FAILED),
        ("PENDING", PENDING),
        ("A_STATE_OF_THE_FUTURE", PENDING),
    ],
)
def test_only_a_payment_that_is_known_to_be_made_is_made(
    status: str, progress: PaymentProgress | None
) -> None:
    assert read_progress({"status": status}) is progress
    assert read_progress({"state": status.lower()}) is progress


@pytest.mark.parametrize(
    ("status", "captured", "state"),
    [
        ("CREATED", [], CheckoutState.OPEN),
        ("SAVED", [], CheckoutState.OPEN),
        ("PAYER_ACTION_REQUIRED", [], CheckoutState.OPEN),
        ("A_STATE_OF_THE_FUTURE", [], CheckoutState.OPEN),
        ("APPROVED", [], CheckoutState.APPROVED),
        ("VOIDED", [], CheckoutState.FAILED),
        ("COMPLETED", [], CheckoutState.COMPLETED),
        ("COMPLETED", ["DECLINED", "COMPLETED"], CheckoutState.COMPLETED),
        ("COMPLETED", ["DECLINED", "PENDING"], CheckoutState.PENDING),
        ("COMPLETED", ["DECLINED", "FAILED"], CheckoutState.FAILED),
    ],
)
def test_an_order_is_as_far_as_its_captures_are(
    status: str, captured: list[str], state: CheckoutState
) -> None:
    captures = [replace(CAPTURE, status=each) for each in captured]
    found = read_order(objects.order_json(replace(ORDER, status=status), captures, []), NOW)[0]
    assert found == CheckoutObserved("O1", state, OURS, 25_000_000, "USD")


def test_an_order_says_what_was_paid_by_it_and_given_back() -> None:
    order = objects.order_json(
        replace(ORDER, status="COMPLETED"),
        [replace(CAPTURE, status="DECLINED", payment_id="C0"), CAPTURE],
        [REFUND],
    )
    payments = order["purchase_units"][0]["payments"]
    # Within its order a capture need not say of which it is, nor whose.
    payments["captures"] = [
        without(each, "supplementary_data", "links", "custom_id") for each in payments["captures"]
    ]
    assert read_order(order, NOW)[1:] == (
        PaymentProgressed(
            (PaymentObject("C0", 0),), "", "", OURS, FAILED, ago(hours=1), 1, for_good=True
        ),
        PaymentPaid(
            objects=(PaymentObject("C1", 0),),
            subscription_id="",
            customer_id="",
            checkout_id="O1",
            claim=OURS,
            lines=(),
            currency_code="USD",
            paid_micros=25_000_000,
            paid_time=ago(hours=2),
        ),
        ComponentObserved(
            (PaymentObject("C1", 0),),
            Component(
                "R1",
                ComponentKind.REFUND,
                ComponentState.SUCCEEDED,
                10_000_000,
                "USD",
                ago(minutes=50),
                0,
            ),
        ),
    )


def test_a_capture_says_whose_it_is_where_its_order_does_not() -> None:
    order = objects.order_json(ORDER, [CAPTURE], [])
    del order["purchase_units"][0]["custom_id"]
    assert read_order(order, NOW)[1].claim == OURS  # type: ignore[union-attr]


def test_a_payment_without_a_time_was_made_when_it_was_told() -> None:
    names = ("create_time", "update_time")
    paid, renewed = read_sale(without(objects.sale_json(SALE), *names), None, NOW)
    assert isinstance(paid, PaymentPaid)
    assert (paid.paid_time, paid.lines[0].renewed_period_start_time) == (NOW, NOW)
    assert isinstance(renewed, SubscriptionPaid)
    assert renewed.provider_time == NOW
    capture = objects.capture_json(CAPTURE)
    for left_out, time in ((names[1:], ago(hours=2)), (names, NOW)):
        [progressed] = read_capture(without(capture, *left_out), PENDING, NOW)
        assert isinstance(progressed, PaymentProgressed)
        assert progressed.provider_time == time


def test_a_captures_order_may_stand_beside_it_only() -> None:
    [paid] = read_capture(without(objects.capture_json(CAPTURE), "links"), None, NOW)
    assert isinstance(paid, PaymentPaid)
    assert paid.checkout_id == "O1"


def test_a_subscription_that_was_asked_for_is_confirmed_as_of_its_answer() -> None:
    resource = objects.subscription_json(SUBSCRIPTION)
    told, paid = read_subscription(resource, NOW)
    assert (told.provider_time, told.details_time) == (ago(days=2), NOW)  # type: ignore[union-attr]
    assert (told.rank, told.confirmed, told.wants_look) == (-1, True, False)  # type: ignore[union-attr]
    assert isinstance(paid, SubscriptionPaid)
    undated, _ = read_subscription(without(resource, "status_update_time"), NOW)
    assert undated.provider_time == NOW  # type: ignore[union-attr]
    _, failed = read_subscription(objects.subscription_json(FAILING), NOW)
    assert failed == SubscriptionPaymentFailed(
        "I-1", FAILING.payer_id, ago(hours=3), moves_state=True
    )
