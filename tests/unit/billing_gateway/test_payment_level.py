"""How a payment stands by what happened to it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.billing_gateway.domain.components import join
from services.billing_gateway.domain.payment_level import (
    proportion,
    provider_reversed_micros,
    standing_of,
    state_of,
)
from services.billing_gateway.domain.values import (
    Component,
    ComponentKind,
    ComponentState,
    Payment,
    PaymentProgress,
    PaymentStanding,
    PaymentState,
    ProgressTold,
    Provider,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
PAID = 25_000_000
PAYMENT = Payment(
    Provider.STRIPE,
    "stripe:pi_1",
    organization_id="org-1",
    currency_code="USD",
    paid_micros=PAID,
    paid_time=START,
    credited_micros=PAID,
)
KINDS = {
    ComponentKind.REFUND: ["PENDING", "SUCCEEDED", "FAILED"],
    ComponentKind.REVERSAL: ["PENDING", "SUCCEEDED", "FAILED"],
    ComponentKind.DISPUTE: ["OPEN", "WON", "LOST", "ENDED"],
    ComponentKind.WARNING: ["OPEN", "ENDED"],
}
POSSIBLE = [(kind, ComponentState(state)) for kind, states in KINDS.items() for state in states]


@st.composite
def components(draw: st.DrawFn) -> list[Component]:
    """Return components, each of its own id."""
    told = draw(st.lists(st.tuples(st.sampled_from(POSSIBLE), st.integers(0, 40)), max_size=5))
    return [
        component(
            kind,
            state,
            amount_micros=amount,
            component_id=f"component-{number}",
            withdrawal_count=draw(st.integers(0, 2)),
            reinstatement_count=draw(st.integers(0, 2)),
            blocks_spending=draw(st.booleans()),
            currency_code=draw(st.sampled_from(["USD", "USD", "USD", "EUR"])),
        )
        for number, ((kind, state), amount) in enumerate(told)
    ]


@st.composite
def payments(draw: st.DrawFn) -> Payment:
    """Return credited payments, small, so that parts often are the whole."""
    return replace(
        PAYMENT,
        paid_micros=draw(st.integers(1, 40)),
        credited_micros=draw(st.integers(0, 100)),
        refunded_in_all_micros=draw(st.integers(0, 60)),
        has_failed=draw(st.booleans()),
    )


def component(kind: ComponentKind, state: ComponentState, **told: object) -> Component:
    whole = Component("one", kind, state, PAID, "USD", START, 0, event_id="evt_1")
    return replace(whole, **told)  # type: ignore[arg-type]


def refund(micros: int, state: str = "SUCCEEDED") -> Component:
    return component(
        ComponentKind.REFUND,
        ComponentState(state),
        amount_micros=micros,
        component_id=f"re_{micros}",
    )


def dispute(state: str = "OPEN", micros: int = PAID, **told: object) -> Component:
    kind, told_state = ComponentKind.DISPUTE, ComponentState(state)
    return component(kind, told_state, amount_micros=micros, component_id="dp_1", **told)


@given(payments(), components())
def test_what_is_gone_or_may_go_is_never_more_than_the_credit(
    payment: Payment, told: list[Component]
) -> None:
    credited, paid = payment.credited_micros or 0, payment.paid_micros or 0
    standing, gone = standing_of(payment, told), provider_reversed_micros(payment, told)
    assert 0 <= gone <= paid
    assert 0 <= standing.reversed_micros <= credited
    assert 0 <= standing.at_risk_micros <= credited - standing.reversed_micros
    if credited >= paid:
        assert (standing.reversed_micros == credited) == (gone == paid or credited == 0)
    assert standing.reversed_micros * paid >= credited * gone


@given(payments(), components(), st.randoms(use_true_random=False))
def test_no_order_of_components_matters(
    payment: Payment, told: list[Component], by: object
) -> None:
    shuffled = list(told)
    by.shuffle(shuffled)  # type: ignore[attr-defined]
    assert standing_of(payment, told) == standing_of(payment, shuffled)
    assert state_of(payment, told) == state_of(payment, shuffled)


@given(payments(), components(), st.integers(0, 40))
def test_more_taken_back_is_never_less_gone(
    payment: Payment, told: list[Component], more: int
) -> None:
    """Refunds that are under way or failed speak against the running total, so they are not."""
    in_all = replace(payment, refunded_in_all_micros=0)
    before = standing_of(in_all, told)
    for number, each in enumerate(told):
        grown = replace(each, amount_micros=each.amount_micros + more)
        after = standing_of(in_all, [*told[:number], grown, *told[number + 1 :]])
        assert after.reversed_micros >= before.reversed_micros
        assert (
            after.reversed_micros + after.at_risk_micros
            >= before.reversed_micros + before.at_risk_micros
        )
    total = payment.refunded_in_all_micros
    grown_total = standing_of(replace(payment, refunded_in_all_micros=total + more), told)
    assert grown_total.reversed_micros >= standing_of(payment, told).reversed_micros


def test_a_share_is_rounded_up_and_the_whole_is_the_whole() -> None:
    assert proportion(10, 1, 3) == 4
    assert proportion(50_000_000, PAID, PAID) == 50_000_000
    assert proportion(10, 0, 3) == proportion(0, 3, 3) == 0
    huge = 2**63 - 1
    assert proportion(huge, huge - 1, huge) == huge - 1


def test_a_refund_reverses_its_share_of_what_was_credited() -> None:
    credited_double = replace(PAYMENT, credited_micros=2 * PAID)
    assert standing_of(credited_double, [refund(PAID // 5)]).reversed_micros == 2 * PAID // 5


@pytest.mark.parametrize(("state", "reversed_micros"), [("SUCCEEDED", 4), ("PENDING", 0)])
def test_a_reversal_takes_its_amount_once_it_has_succeeded(
    state: str, reversed_micros: int
) -> None:
    told = component(ComponentKind.REVERSAL, ComponentState(state), amount_micros=4)
    assert standing_of(PAYMENT, [told]) == PaymentStanding(reversed_micros)


def test_a_refund_and_a_dispute_of_the_whole_take_it_once() -> None:
    both = [refund(PAID), dispute("LOST")]
    assert standing_of(PAYMENT, both) == PaymentStanding(PAID)
    assert state_of(PAYMENT, both) is PaymentState.REVERSED
    withdrawn = dispute(withdrawal_count=1)
    assert standing_of(PAYMENT, [refund(PAID), withdrawn]) == PaymentStanding(PAID)


@pytest.mark.parametrize(
    ("told", "reversed_micros", "at_risk_micros"),
    [
        (dispute(), 0, PAID),
        (dispute(withdrawal_count=1), PAID, 0),
        (dispute(withdrawal_count=1, reinstatement_count=1), 0, 0),
        (dispute(reinstatement_count=1), 0, 0),
        (dispute(withdrawal_count=2, reinstatement_count=1), PAID, 0),
        (dispute("WON", withdrawal_count=1), 0, 0),
        (dispute("LOST", withdrawal_count=1), PAID, 0),
        (dispute("ENDED"), 0, 0),
        (dispute(micros=4, withdrawal_count=1), 4, 0),
        (dispute(micros=4), 0, 4),
        # No money has moved for a warning.
        (component(ComponentKind.WARNING, ComponentState.OPEN, currency_code=""), 0, 0),
    ],
)
def test_a_disputes_money_is_at_risk_until_it_is_taken_out(
    told: Component, reversed_micros: int, at_risk_micros: int
) -> None:
    assert standing_of(PAYMENT, [told]) == PaymentStanding(reversed_micros, at_risk_micros)


def test_what_is_refunded_is_no_more_at_risk() -> None:
    standing = standing_of(PAYMENT, [refund(PAID - 1), dispute()])
    assert standing == PaymentStanding(PAID - 1, 1)


REFUND_STEPS = ("PENDING", "SUCCEEDED", "FAILED")


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 2)), max_size=4), st.data())
def test_the_running_total_adds_nothing_to_the_refunds_that_it_counts(
    planned: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Played as a provider does: each refund goes on step by step, and totals come in between."""
    paid = 1 + sum(amount for amount, _ in planned)
    payment = replace(PAYMENT, paid_micros=paid, credited_micros=paid)
    steps = [0] * len(planned)
    states: list[Component] = []
    totals = [(START, 0)]
    while any(step <= last for step, (_, last) in zip(steps, planned, strict=True)):
        going = [n for n, (_, last) in enumerate(planned) if steps[n] <= last]
        chosen = data.draw(st.sampled_from(going))
        amount = planned[chosen][0]
        state = ComponentState(REFUND_STEPS[steps[chosen]])
        time = START + timedelta(seconds=len(states))
        told_state = replace(refund(amount), component_id=f"re_{chosen}", state=state)
        states.append(replace(told_state, provider_time=time))
        steps[chosen] += 1
        now = {each.component_id: each for each in states}
        failed = ComponentState.FAILED
        total = sum(each.amount_micros for each in now.values() if each.state is not failed)
        totals.append((time, total))
    told = data.draw(st.permutations(states))
    by_id: dict[str, Component] = {}
    for each in told:
        by_id[each.component_id] = join(by_id.get(each.component_id), each)
    heard = data.draw(st.lists(st.sampled_from(totals)))
    last_time, total = max(heard, default=(None, 0))
    with_total = replace(payment, refunded_in_all_micros=total, refunded_in_all_time=last_time)
    alone = standing_of(payment, list(by_id.values()))
    assert standing_of(with_total, list(by_id.values())) == alone


def test_a_running_total_alone_is_what_was_refunded() -> None:
    """Older accounts tell refunds by it only, and those that failed one by one."""
    payment = replace(PAYMENT, refunded_in_all_micros=2_500_000)
    assert standing_of(payment, []).reversed_micros == 2_500_000
    assert standing_of(payment, [refund(1_500_000, "FAILED")]).reversed_micros == 1_000_000


@given(st.lists(st.tuples(st.integers(1, 20), st.none() | st.integers(0, 4)), min_size=1))
def test_an_older_account_tells_totals_and_what_failed_and_that_is_all_it_takes(
    planned: list[tuple[int, int | None]],
) -> None:
    """Refunds of two minutes' distance, some of which fail so many refunds later."""
    failures, total, kept = [], 0, 0
    last_time = START + timedelta(minutes=2 * len(planned))
    for number, (amount, fails_after) in enumerate(planned, 1):
        if fails_after is None:
            kept, total = kept + amount, total + amount
            continue
        time = START + timedelta(minutes=2 * (number + fails_after) + 1)
        failed = refund(amount, "FAILED")
        failures.append(replace(failed, component_id=f"re_{number}", provider_time=time))
        total += amount if time > last_time else 0
    paid = sum(amount for amount, _ in planned)
    payment = replace(
        PAYMENT,
        paid_micros=paid,
        credited_micros=paid,
        refunded_in_all_micros=total,
        refunded_in_all_time=last_time,
    )
    assert standing_of(payment, failures).reversed_micros == kept


def test_what_is_told_in_another_currency_counts_for_all_of_it() -> None:
    refund_in_euro = replace(refund(1), currency_code="EUR")
    assert standing_of(PAYMENT, [refund_in_euro]) == PaymentStanding(PAID)
    dispute_in_euro = replace(dispute(micros=1), currency_code="EUR")
    assert standing_of(PAYMENT, [dispute_in_euro]) == PaymentStanding(0, PAID)


WARNING = component(
    ComponentKind.WARNING,
    ComponentState.OPEN,
    amount_micros=0,
    component_id="issfr_1",
    blocks_spending=True,
)


@pytest.mark.parametrize(
    "told",
    [[WARNING], [WARNING, dispute()], [dispute(blocks_spending=True)], [WARNING, refund(PAID - 1)]],
)
def test_spending_is_blocked_while_the_means_of_payment_may_be_stolen(
    told: Sequence[Component],
) -> None:
    assert standing_of(PAYMENT, told).blocks_spending


@pytest.mark.parametrize(
    "told",
    [
        [replace(WARNING, blocks_spending=False)],
        [replace(WARNING, state=ComponentState.ENDED)],
        [WARNING, dispute("WON")],
        [WARNING, dispute("LOST", micros=1)],
        [dispute("WON", blocks_spending=True)],
        [WARNING, refund(PAID)],
    ],
)
def test_spending_is_not_blocked_once_it_is_spoken_for(told: Sequence[Component]) -> None:
    assert not standing_of(PAYMENT, told).blocks_spending


def test_nothing_stands_before_it_is_credited() -> None:
    parked = replace(PAYMENT, credited_micros=None)
    told = [refund(PAID), WARNING, dispute()]
    assert standing_of(parked, told) == PaymentStanding()
    assert standing_of(replace(parked, paid_micros=None), told) == PaymentStanding()


def test_a_payment_that_fails_for_good_is_reversed_in_full() -> None:
    failed = replace(PAYMENT, has_failed=True)
    assert standing_of(failed, []) == PaymentStanding(PAID)
    assert state_of(failed, []) is PaymentState.REVERSED


@pytest.mark.parametrize(
    ("change", "told", "state"),
    [
        ({"paid_micros": None, "credited_micros": None}, [], PaymentState.PENDING),
        ({"paid_micros": None, "credited_micros": None, "has_failed": True}, [], "FAILED"),
        ({"credited_micros": None}, [refund(PAID)], PaymentState.PARKED),
        ({}, [], PaymentState.PAID),
        ({}, [dispute()], PaymentState.PAID),
        ({}, [refund(1)], PaymentState.PARTIALLY_REVERSED),
        ({"credited_micros": 0}, [refund(PAID)], PaymentState.REVERSED),
    ],
)
def test_the_state_follows_from_what_is_known(
    change: dict[str, object], told: Sequence[Component], state: PaymentState
) -> None:
    assert state_of(replace(PAYMENT, **change), told) == state  # type: ignore[arg-type]


def test_an_attempt_that_failed_is_told_as_long_as_nothing_is_paid() -> None:
    progress = ProgressTold(PaymentProgress.FAILED, START, 1)
    unpaid = replace(PAYMENT, paid_micros=None, credited_micros=None, progress=progress)
    assert state_of(unpaid, []) is PaymentState.FAILED
    pending = replace(progress, progress=PaymentProgress.PENDING)
    assert state_of(replace(unpaid, progress=pending), []) is PaymentState.PENDING
    assert state_of(replace(PAYMENT, progress=progress), []) is PaymentState.PAID
