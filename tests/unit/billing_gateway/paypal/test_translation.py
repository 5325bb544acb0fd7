"""From PayPal's events to observations, row by row, v1 and v2."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dev.simulators.paypal import objects
from dev.simulators.paypal.objects import JsonObject
from libs.levels import SubscriptionState
from services.billing_gateway.domain.observations import (
    CheckoutObserved,
    Claim,
    Ignored,
    PaymentPaid,
    PaymentProgressed,
    PlanLine,
    SubscriptionObserved,
    SubscriptionPaid,
    SubscriptionPaymentFailed,
    Unreadable,
)
from services.billing_gateway.domain.values import (
    CheckoutState,
    PaymentObject,
    PaymentProgress,
)
from services.billing_gateway.paypal.environment import Environment
from tests.unit.billing_gateway.paypal.told import (
    CAPTURE,
    CLAIM,
    FAILING,
    NOW,
    ORDER,
    SALE,
    SUBSCRIPTION,
    ago,
    event,
    observed,
    translate,
)

S = "BILLING.SUBSCRIPTION."
OURS = Claim(CLAIM)


@pytest.mark.parametrize(
    ("kind", "status", "state", "rank"),
    [
        ("CREATED", "APPROVAL_PENDING", SubscriptionState.PENDING, -2),
        ("CREATED", "APPROVED", SubscriptionState.PENDING, -2),
        ("UPDATED", "ACTIVE", SubscriptionState.ACTIVE, 1),
        ("ACTIVATED", "ACTIVE", SubscriptionState.ACTIVE, 2),
        ("RE-ACTIVATED", "ACTIVE", SubscriptionState.ACTIVE, 2),
        ("SUSPENDED", "SUSPENDED", SubscriptionState.SUSPENDED, 3),
        ("EXPIRED", "EXPIRED", SubscriptionState.CANCELED, 4),
        ("CANCELLED", "CANCELLED", SubscriptionState.CANCELED, 4),
        ("CANCELLED", "ACTIVE", SubscriptionState.CANCELED, 4),
        ("UPDATED", "A_STATE_OF_THE_FUTURE", SubscriptionState.SUSPENDED, 1),
    ],
)
def test_a_subscription_is_in_a_state_since_its_status_changed(
    kind: str, status: str, state: SubscriptionState, rank: int
) -> None:
    resource = objects.subscription_json(replace(SUBSCRIPTION, status=status))
    told = observed(event(S + kind, resource))[0]
    assert (told.subscription_id, told.plan_id, told.claim) == ("I-1", "P-1", OURS)
    assert (told.state, told.rank) == (state, rank)
    assert (told.provider_time, told.details_time) == (ago(days=2), NOW)
    assert told.wants_look is (kind == "UPDATED")
    assert not told.confirmed


def test_only_a_creation_is_dated_no_more_precisely_than_an_answer() -> None:
    time = NOW + timedelta(milliseconds=456)
    resource = objects.subscription_json(SUBSCRIPTION)
    dated = {
        kind: observed(event(S + kind, resource, time=time))[0].details_time
        for kind in ("CREATED", "ACTIVATED")
    }
    assert dated == {"CREATED": NOW, "ACTIVATED": time}


def test_an_active_subscription_tells_of_its_period_and_its_last_payment() -> None:
    state, paid = observed(event(f"{S}ACTIVATED", objects.subscription_json(SUBSCRIPTION)))
    assert isinstance(state, SubscriptionObserved)
    assert state.customer_id == SUBSCRIPTION.payer_id
    assert state.current_period_end_time == NOW + timedelta(days=27)
    assert paid == SubscriptionPaid(
        subscription_id="I-1",
        customer_id=SUBSCRIPTION.payer_id,
        claim=OURS,
        provider_time=ago(days=2),
        period_end_time=NOW + timedelta(days=27),
        moves_state=True,
    )


def failures(told: JsonObject) -> list[datetime | None]:
    return [
        each.provider_time for each in observed(told) if isinstance(each, SubscriptionPaymentFailed)
    ]


def test_a_failure_counts_until_something_was_paid_after_it() -> None:
    for paid, expected in ((None, 1), (ago(hours=4), 1), (ago(hours=3), 0), (ago(hours=2), 0)):
        subscription = replace(FAILING, last_payment_time=paid)
        told = event(f"{S}UPDATED", objects.subscription_json(subscription))
        assert failures(told) == [ago(hours=3)] * expected


def test_a_failed_payment_failed_when_it_did_or_when_the_event_was_made() -> None:
    told = event(f"{S}PAYMENT.FAILED", objects.subscription_json(FAILING))
    assert failures(told) == [ago(hours=3)]
    before_the_status = replace(FAILING, status_update_time=ago(hours=1))
    told = event(f"{S}PAYMENT.FAILED", objects.subscription_json(before_the_status))
    assert failures(told) == [NOW]
    without_a_time = replace(FAILING, last_failure=None)
    told = event(f"{S}PAYMENT.FAILED", objects.subscription_json(without_a_time))
    assert failures(told) == [NOW]


def test_a_subscription_without_a_usable_time_is_told_without() -> None:
    resource = objects.subscription_json(SUBSCRIPTION)
    impossible = {"status_update_time": "2018-19-12T22:20:32.000Z", "update_time": 7}
    told = event(f"{S}ACTIVATED", {**resource, **impossible})
    assert observed(told)[0].provider_time == NOW
    told["create_time"] = "yesterday"
    assert observed(told)[0].provider_time is None
    assert observed(told)[0].details_time is None


def agreement(state: str, **details: str) -> JsonObject:
    return {
        "id": "I-OLD",
        "state": state,
        "payer": {"payer_info": {"payer_id": "PAYER7"}},
        "plan": {"curr_code": "USD"},
        "agreement_details": details,
    }


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("Pending", SubscriptionState.PENDING),
        ("Active", SubscriptionState.ACTIVE),
        ("Suspended", SubscriptionState.SUSPENDED),
        ("Cancelled", SubscriptionState.CANCELED),
        ("Expired", SubscriptionState.CANCELED),
    ],
)
def test_an_agreement_of_v1_is_a_subscription(state: str, expected: SubscriptionState) -> None:
    details = {
        "next_billing_date": "2026-12-22T10:00:00Z",
        "last_payment_date": "2026-11-21T11:29:54Z",
    }
    told, paid = observed(event(f"{S}UPDATED", agreement(state, **details)))
    assert (told.subscription_id, told.customer_id, told.state) == ("I-OLD", "PAYER7", expected)
    assert told.current_period_end_time == datetime(2026, 12, 22, 10, tzinfo=UTC)
    assert told.provider_time == NOW
    assert paid.provider_time == datetime(2026, 11, 21, 11, 29, 54, tzinfo=UTC)


def test_an_agreement_without_an_end_is_told_without_one() -> None:
    [told] = observed(event(f"{S}RE-ACTIVATED", agreement("Active")))
    assert told.current_period_end_time is None


def test_a_completed_sale_is_the_money_of_a_subscription() -> None:
    paid, renewed = observed(event("PAYMENT.SALE.COMPLETED", objects.sale_json(SALE)))
    assert paid == PaymentPaid(
        objects=(PaymentObject("S1", 0),),
        subscription_id="I-1",
        customer_id="",
        checkout_id="",
        claim=OURS,
        lines=(PlanLine("", ago(hours=2)),),
        currency_code="USD",
        paid_micros=20_000_000,
        paid_time=ago(hours=2),
    )
    assert renewed == SubscriptionPaid("I-1", "", OURS, ago(hours=2), None, moves_state=True)


def test_a_sale_of_no_subscription_is_money_all_the_same() -> None:
    sale = {**objects.sale_json(SALE), "billing_agreement_id": None}
    [paid] = observed(event("PAYMENT.SALE.COMPLETED", sale))
    assert (paid.subscription_id, paid.paid_micros) == ("", 20_000_000)


def test_a_completed_capture_is_the_money_of_a_top_up() -> None:
    [paid] = observed(event("PAYMENT.CAPTURE.COMPLETED", objects.capture_json(CAPTURE)))
    assert paid == PaymentPaid(
        objects=(PaymentObject("C1", 0),),
        subscription_id="",
        customer_id="",
        checkout_id="O1",
        claim=OURS,
        lines=(),
        currency_code="USD",
        paid_micros=25_000_000,
        paid_time=ago(hours=2),
    )


def test_a_captures_order_may_stand_in_a_link_only() -> None:
    capture = {**objects.capture_json(CAPTURE), "supplementary_data": {}}
    assert observed(event("PAYMENT.CAPTURE.COMPLETED", capture))[0].checkout_id == "O1"


def test_a_capture_of_v1_is_read() -> None:
    capture = {
        "amount": {"total": "7.47", "currency": "USD"},
        "id": "4231",
        "state": "completed",
        "create_time": "2026-11-20T18:50:44+02:00",
    }
    [paid] = observed(event("PAYMENT.CAPTURE.COMPLETED", capture))
    assert (paid.paid_micros, paid.currency_code, paid.claim) == (7_470_000, "USD", None)
    assert paid.paid_time == datetime(2026, 11, 20, 16, 50, 44, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event_type", "progress"),
    [
        ("PAYMENT.CAPTURE.PENDING", PaymentProgress.PENDING),
        ("PAYMENT.CAPTURE.DENIED", PaymentProgress.FAILED),
        ("PAYMENT.CAPTURE.DECLINED", PaymentProgress.FAILED),
        ("PAYMENT.SALE.PENDING", PaymentProgress.PENDING),
        ("PAYMENT.SALE.DENIED", PaymentProgress.FAILED),
    ],
)
def test_what_is_not_made_is_no_credit(event_type: str, progress: PaymentProgress) -> None:
    sale = ".SALE." in event_type
    resource = objects.sale_json(SALE) if sale else objects.capture_json(CAPTURE)
    assert observed(event(event_type, resource)) == (
        PaymentProgressed(
            objects=(PaymentObject("S1" if sale else "C1", 0),),
            subscription_id="I-1" if sale else "",
            customer_id="",
            claim=OURS,
            progress=progress,
            provider_time=ago(hours=1),
            rank=int(progress is PaymentProgress.FAILED),
            for_good=progress is PaymentProgress.FAILED,
        ),
    )


@pytest.mark.parametrize("amount", ["-25.00", "25.001", "NaN", "1e3", "", None, 25])
def test_money_that_cannot_be_counted_is_no_credit(amount: object) -> None:
    for event_type, resource in (
        ("PAYMENT.CAPTURE.COMPLETED", objects.capture_json(CAPTURE)),
        ("PAYMENT.SALE.COMPLETED", objects.sale_json(SALE)),
    ):
        for name in ("value", "total"):
            broken = {**resource, "amount": {name: amount, "currency": "USD"}}
            assert isinstance(translate(event(event_type, broken)), Unreadable)


def test_a_payment_of_nothing_is_no_payment() -> None:
    capture = objects.capture_json(replace(CAPTURE, amount="0.00"))
    assert translate(event("PAYMENT.CAPTURE.COMPLETED", capture)) == Ignored()
    sale = objects.sale_json(replace(SALE, amount="0.00"))
    [renewed] = observed(event("PAYMENT.SALE.COMPLETED", sale))
    assert isinstance(renewed, SubscriptionPaid)


def capture_of(status: str) -> JsonObject:
    return {"payments": {"captures": [{"id": "C1", "status": status}]}}


@pytest.mark.parametrize(
    ("status", "captured", "state"),
    [
        ("APPROVED", None, CheckoutState.APPROVED),
        ("", None, CheckoutState.APPROVED),
        ("COMPLETED", None, CheckoutState.COMPLETED),
        ("COMPLETED", "COMPLETED", CheckoutState.COMPLETED),
        ("COMPLETED", "REFUNDED", CheckoutState.COMPLETED),
        ("COMPLETED", "PENDING", CheckoutState.PENDING),
        ("COMPLETED", "DECLINED", CheckoutState.FAILED),
    ],
)
def test_an_approved_order_is_no_money(
    status: str, captured: str | None, state: CheckoutState
) -> None:
    order = objects.order_json(replace(ORDER, status=status), [], [])
    if captured:
        order["purchase_units"][0].update(capture_of(captured))
    assert observed(event("CHECKOUT.ORDER.APPROVED", order)) == (
        CheckoutObserved("O1", state, OURS, 25_000_000, "USD"),
    )


def test_an_order_of_others_may_be_as_it_likes() -> None:
    order = objects.order_json(replace(ORDER, currency="KWD"), [], [])
    order["purchase_units"].append({})
    assert observed(event("CHECKOUT.ORDER.APPROVED", order)) == (
        CheckoutObserved("O1", CheckoutState.APPROVED, None),
    )


def test_an_approval_that_is_revoked_ends_the_checkout() -> None:
    for resource in ({"order_id": "O1"}, {"id": "O1"}):
        assert observed(event("CHECKOUT.PAYMENT-APPROVAL.REVERSED", resource)) == (
            CheckoutObserved("O1", CheckoutState.FAILED, None),
        )
    assert isinstance(translate(event("CHECKOUT.PAYMENT-APPROVAL.REVERSED", {})), Unreadable)


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("org-1", Claim("org-1")),
        ("a:b", Claim("a:b")),
        (f"a:b:{'1' * 32}:{'f' * 32}", Claim("a:b", "1" * 32, "f" * 32)),
        (f"a:{'1' * 32}:{'F' * 32}", Claim(f"a:{'1' * 32}:{'F' * 32}")),
        ("not an id", None),
        (f":{'1' * 32}:{'f' * 32}", None),
        ("", None),
        ("\u0000", None),
        (7, None),
        (None, None),
    ],
)
def test_a_claim_is_an_id_or_what_tollgate_wrote(text: object, claim: Claim | None) -> None:
    capture = {**objects.capture_json(CAPTURE), "custom_id": text}
    assert observed(event("PAYMENT.CAPTURE.COMPLETED", capture))[0].claim == claim


@pytest.mark.parametrize(
    "event_type",
    [
        "CHECKOUT.ORDER.COMPLETED",
        "CHECKOUT.ORDER.PROCESSED",
        "RISK.DISPUTE.CREATED",
        "PAYMENT.AUTHORIZATION.CREATED",
        "BILLING.PLAN.CREATED",
        "PAYMENT.CAPTURE.OF-THE-FUTURE",
    ],
)
def test_what_is_no_concern_of_ours_is_ignored_whatever_it_holds(event_type: str) -> None:
    for resource in ({}, objects.capture_json(CAPTURE)):
        assert translate(event(event_type, resource)) == Ignored()


def test_a_test_event_is_nothing_where_money_is_real() -> None:
    told = event("PAYMENT.CAPTURE.COMPLETED", objects.capture_json(CAPTURE))
    test = Unreadable("a test event, which the settings do not expect")
    assert translate(told, Environment.LIVE) == test
    for link in told["links"]:
        link["href"] = link["href"].replace(".sandbox", "")
    assert translate(told, Environment.LIVE) == translate(told)
