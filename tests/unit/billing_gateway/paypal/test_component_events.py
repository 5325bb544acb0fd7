"""What PayPal's events say of refunds, reversals and disputes, v1 and v2."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from dev.simulators.paypal import objects
from dev.simulators.paypal.objects import JsonObject
from services.billing_gateway.domain.observations import ComponentObserved, Unreadable
from services.billing_gateway.domain.values import (
    Component,
    ComponentKind,
    ComponentState,
    PaymentObject,
)
from tests.unit.billing_gateway.paypal.told import (
    DISPUTE,
    NOW,
    REFUND,
    SALE_REFUND,
    ago,
    event,
    observed,
    translate,
)


def component(told: JsonObject) -> tuple[tuple[PaymentObject, ...], Component]:
    [observation] = observed(told)
    assert isinstance(observation, ComponentObserved)
    return observation.objects, observation.component


@pytest.mark.parametrize(
    ("event_type", "status", "state"),
    [
        ("PAYMENT.CAPTURE.REFUNDED", "COMPLETED", ComponentState.SUCCEEDED),
        ("PAYMENT.CAPTURE.REFUNDED", "FAILED", ComponentState.FAILED),
        ("PAYMENT.CAPTURE.REFUNDED", "PENDING", ComponentState.PENDING),
        ("PAYMENT.CAPTURE.REFUNDED", "A_STATE_OF_THE_FUTURE", ComponentState.SUCCEEDED),
        ("PAYMENT.REFUND.PENDING", "PENDING", ComponentState.PENDING),
        ("PAYMENT.REFUND.FAILED", "FAILED", ComponentState.FAILED),
        ("PAYMENT.REFUND.FAILED", "COMPLETED", ComponentState.FAILED),
        ("PAYMENT.CAPTURE.REFUNDED", "CANCELLED", ComponentState.FAILED),
    ],
)
def test_a_refund_is_a_part_of_its_capture(
    event_type: str, status: str, state: ComponentState
) -> None:
    resource = objects.refund_json(replace(REFUND, status=status), "capture")
    of, part = component(event(event_type, resource))
    assert of == (PaymentObject("C1", 0),)
    assert part == Component(
        component_id="R1",
        kind=ComponentKind.REFUND,
        state=state,
        amount_micros=10_000_000,
        currency_code="USD",
        provider_time=ago(minutes=50),
        rank=0,
        event_id=f"WH-{event_type}",
    )


def test_refunds_of_v1_are_below_zero_and_name_their_payment() -> None:
    of, part = component(event("PAYMENT.SALE.REFUNDED", objects.refund_json(SALE_REFUND, "sale")))
    assert (of, part.amount_micros) == ((PaymentObject("S1", 0),), 5_000_000)
    capture_refund = {
        "amount": {"total": "-0.15", "currency": "USD"},
        "id": "R9",
        "capture_id": "C9",
        "state": "completed",
    }
    of, part = component(event("PAYMENT.CAPTURE.REFUNDED", capture_refund, "capture"))
    assert (of, part.amount_micros) == ((PaymentObject("C9", 0),), 150_000)


def test_a_reversal_is_a_part_of_its_capture() -> None:
    resource = objects.refund_json(REFUND, "capture")
    of, part = component(event("PAYMENT.CAPTURE.REVERSED", resource))
    assert of == (PaymentObject("C1", 0),)
    assert (part.kind, part.state) == (ComponentKind.REVERSAL, ComponentState.SUCCEEDED)


def test_a_reversal_that_names_no_payment_is_to_be_resolved() -> None:
    resource = objects.reversed_sale_json(SALE_REFUND)
    of, part = component(event("PAYMENT.SALE.REVERSED", resource))
    assert of == (PaymentObject("R2", 9),)
    assert (part.component_id, part.amount_micros) == ("R2", 5_000_000)
    assert component(event("PAYMENT.SALE.REVERSED", {**resource, "sale_id": "S1"}))[0] == (
        PaymentObject("S1", 0),
    )


DISPUTED = objects.dispute_json(DISPUTE)


def test_an_open_dispute_is_at_risk_and_blocks_where_the_customer_never_paid() -> None:
    for rank, kind in enumerate(("CREATED", "UPDATED")):
        of, part = component(event(f"CUSTOMER.DISPUTE.{kind}", DISPUTED))
        assert of == (PaymentObject("C1", 1),)
        assert part == Component(
            component_id="PP-D-1",
            kind=ComponentKind.DISPUTE,
            state=ComponentState.OPEN,
            amount_micros=25_000_000,
            currency_code="USD",
            provider_time=ago(minutes=40),
            rank=rank,
            blocks_spending=True,
            event_id=f"WH-CUSTOMER.DISPUTE.{kind}",
        )
    reason = {**DISPUTED, "reason": "MERCHANDISE_OR_SERVICE_NOT_RECEIVED"}
    assert not component(event("CUSTOMER.DISPUTE.CREATED", reason))[1].blocks_spending
    american = {**DISPUTED, "reason": "UNAUTHORIZED"}
    assert component(event("CUSTOMER.DISPUTE.CREATED", american))[1].blocks_spending


@pytest.mark.parametrize(
    ("outcome", "state", "is_followed"),
    [
        ("RESOLVED_SELLER_FAVOUR", ComponentState.WON, False),
        ("CANCELED_BY_BUYER", ComponentState.WON, False),
        ("DENIED", ComponentState.WON, False),
        ("RESOLVED_BUYER_FAVOUR", ComponentState.ENDED, True),
        ("RESOLVED_WITH_PAYOUT", ComponentState.ENDED, True),
        ("ACCEPTED", ComponentState.ENDED, True),
        ("NONE", ComponentState.ENDED, False),
        (["a list"], ComponentState.ENDED, False),
        (None, ComponentState.ENDED, False),
    ],
)
def test_a_resolved_dispute_ends_and_its_money_is_waited_for(
    outcome: object, state: ComponentState, *, is_followed: bool
) -> None:
    resource = {**DISPUTED, "dispute_outcome": {"outcome_code": outcome}}
    part = component(event("CUSTOMER.DISPUTE.RESOLVED", resource))[1]
    assert (part.state, part.blocks_spending, part.rank) == (state, False, 2)
    due = ago(minutes=40) + timedelta(hours=24) if is_followed else None
    assert part.money_due_time == due


def test_a_dispute_that_is_told_again_after_its_end_is_not_open() -> None:
    outcome = {"outcome_code": "RESOLVED_BUYER_FAVOUR"}
    resolved = {**DISPUTED, "status": "RESOLVED", "dispute_outcome": outcome}
    part = component(event("CUSTOMER.DISPUTE.UPDATED", resolved))[1]
    assert (part.state, part.blocks_spending) == (ComponentState.ENDED, False)
    reopened = {**resolved, "status": "UNDER_REVIEW"}
    part = component(event("CUSTOMER.DISPUTE.UPDATED", reopened))[1]
    assert (part.state, part.money_due_time) == (ComponentState.OPEN, None)


def test_a_dispute_may_be_about_several_payments() -> None:
    transactions = [
        {"seller_transaction_id": each} for each in ("C1", "C2", "C1", None, "\u0000", 7)
    ]
    told = observed(
        event("CUSTOMER.DISPUTE.CREATED", {**DISPUTED, "disputed_transactions": transactions})
    )
    assert [each.objects for each in told] == [
        (PaymentObject("C1", 1),),
        (PaymentObject("C2", 1),),
    ]


def test_a_dispute_of_no_payment_is_not_read() -> None:
    nothing = {**DISPUTED, "disputed_transactions": [{"seller_transaction_id": None}]}
    assert isinstance(translate(event("CUSTOMER.DISPUTE.CREATED", nothing)), Unreadable)


@pytest.mark.parametrize(
    ("left_out", "time"),
    [(("update_time",), ago(hours=1)), (("update_time", "create_time"), NOW)],
)
@pytest.mark.parametrize(
    ("event_type", "resource"),
    [
        ("PAYMENT.CAPTURE.REFUNDED", objects.refund_json(REFUND, "capture")),
        ("CUSTOMER.DISPUTE.CREATED", DISPUTED),
    ],
)
def test_it_stands_so_since_it_changed_or_was_made_or_was_told(
    event_type: str, resource: JsonObject, left_out: tuple[str, ...], time: datetime
) -> None:
    told = {name: each for name, each in resource.items() if name not in left_out}
    assert component(event(event_type, told))[1].provider_time == time
