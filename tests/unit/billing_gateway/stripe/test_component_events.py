"""What Stripe's events say of refunds, disputes and early warnings of fraud."""

from dataclasses import replace

import pytest

from dev.simulators.stripe.shapes import Shape
from services.billing_gateway.domain.observations import (
    ComponentObserved,
    Ignored,
    RefundedInAll,
    Unreadable,
)
from services.billing_gateway.domain.values import (
    Component,
    ComponentKind,
    ComponentState,
    PaymentObject,
)
from tests.unit.billing_gateway.stripe.telling import (
    CHARGE,
    DISPUTE,
    NOW,
    REFUND,
    WARNING,
    event,
    only,
    translate,
)

OBJECTS = (PaymentObject("pi_1", 1), PaymentObject("ch_1", 3))


def component(told: dict[str, object]) -> Component:
    found = only(told)
    assert isinstance(found, ComponentObserved)
    assert found.objects == OBJECTS
    assert found.component.event_id == told["id"]
    return replace(found.component, event_id="")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("pending", ComponentState.PENDING),
        ("requires_action", ComponentState.PENDING),
        ("succeeded", ComponentState.SUCCEEDED),
        ("failed", ComponentState.FAILED),
        ("canceled", ComponentState.FAILED),
    ],
)
@pytest.mark.parametrize(
    ("kind", "rank"),
    [
        ("refund.created", 0),
        ("refund.updated", 1),
        ("charge.refund.updated", 1),
        ("refund.failed", 2),
    ],
)
def test_every_refund_is_a_component_of_its_own(
    kind: str, rank: int, status: str, state: ComponentState
) -> None:
    assert component(event(kind, replace(REFUND, status=status))) == Component(
        "re_1", ComponentKind.REFUND, state, 10_000_000, "USD", NOW, rank
    )


def test_a_refund_in_a_state_of_the_future_is_not_guessed_at() -> None:
    told = event("refund.updated", replace(REFUND, status="half_way"))
    assert isinstance(translate(told), Unreadable)


def test_a_refund_of_no_payment_is_no_concern_of_ours() -> None:
    told = event("refund.created", REFUND, payment_intent=None, charge=None)
    assert translate(told) == Ignored()


def test_a_charge_tells_its_running_total() -> None:
    objects = (PaymentObject("ch_1", 3), PaymentObject("pi_1", 1))
    assert only(event("charge.refunded", CHARGE)) == RefundedInAll(objects, 10_000_000, "USD", NOW)
    old = replace(CHARGE, invoice_id="in_1")
    found = only(event("charge.refunded", old, shape=Shape.OLD))
    assert found == RefundedInAll((*objects, PaymentObject("in_1", 2)), 10_000_000, "USD", NOW)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("needs_response", ComponentState.OPEN),
        ("under_review", ComponentState.OPEN),
        ("warning_needs_response", ComponentState.OPEN),
        ("warning_under_review", ComponentState.OPEN),
        ("appeal_of_the_future", ComponentState.OPEN),
        ("won", ComponentState.WON),
        ("lost", ComponentState.LOST),
        ("warning_closed", ComponentState.ENDED),
        ("prevented", ComponentState.ENDED),
    ],
)
def test_a_dispute_is_open_until_it_is_over(status: str, state: ComponentState) -> None:
    told = event("charge.dispute.updated", replace(DISPUTE, status=status))
    assert component(told) == Component(
        "du_1", ComponentKind.DISPUTE, state, 25_000_000, "USD", NOW, rank=1
    )


@pytest.mark.parametrize(
    ("kind", "rank", "moved", "counts"),
    [
        ("created", 0, [], (0, 0)),
        # A dispute is told as it stands when its event is made.
        ("created", 0, [-2_500], (1, 0)),
        ("funds_withdrawn", 2, [], (1, 0)),
        ("funds_withdrawn", 2, [-2_500], (1, 0)),
        ("funds_reinstated", 3, [-2_500], (1, 1)),
        ("funds_reinstated", 3, [-2_500, 2_500], (1, 1)),
        ("funds_withdrawn", 2, [-2_500, 2_500, -2_500], (2, 1)),
        ("closed", 4, [-2_500, 2_500], (1, 1)),
        ("updated", 1, [0], (0, 0)),
        ("updated", 1, [-1, 1], (1, 1)),
    ],
)
def test_a_disputes_money_is_counted_both_ways(
    kind: str, rank: int, moved: list[int], counts: tuple[int, int]
) -> None:
    found = component(event(f"charge.dispute.{kind}", replace(DISPUTE, moved=moved)))
    assert (found.withdrawal_count, found.reinstatement_count) == counts
    assert found.rank == rank


def test_a_dispute_with_an_amount_that_is_none_is_not_read() -> None:
    told = event("charge.dispute.updated", DISPUTE, balance_transactions=[{"amount": "-2500"}])
    assert isinstance(translate(told), Unreadable)


@pytest.mark.parametrize(
    ("fraud_type", "blocks"), [("made_with_lost_card", True), ("misc", False), (None, False)]
)
@pytest.mark.parametrize(("kind", "rank"), [("created", 0), ("updated", 1)])
def test_a_warning_blocks_as_the_settings_say(
    kind: str, rank: int, fraud_type: str | None, *, blocks: bool
) -> None:
    told = event(f"radar.early_fraud_warning.{kind}", WARNING, fraud_type=fraud_type)
    assert component(told) == Component(
        component_id="issfr_1",
        kind=ComponentKind.WARNING,
        state=ComponentState.OPEN,
        amount_micros=0,
        currency_code="",
        provider_time=NOW,
        rank=rank,
        blocks_spending=blocks,
    )


def test_a_warning_is_not_over_because_it_is_disputed() -> None:
    """How the dispute ends, or a refund, ends it: what is told of those says so."""
    told = event("radar.early_fraud_warning.updated", replace(WARNING, actionable=False))
    assert component(told).state is ComponentState.OPEN
