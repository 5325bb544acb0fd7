"""Joining what was told of one refund, dispute, reversal or warning."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import combinations, permutations

from hypothesis import given
from hypothesis import strategies as st

from services.billing_gateway.domain.components import join
from services.billing_gateway.domain.values import Component, ComponentKind, ComponentState

START = datetime(2026, 1, 1, tzinfo=UTC)
FEW = st.integers(0, 2)
TIMES = st.none() | FEW.map(lambda seconds: START + timedelta(seconds=seconds))
COMPONENTS = st.builds(
    Component,
    component_id=st.just("one"),
    kind=st.sampled_from(ComponentKind),
    state=st.sampled_from(ComponentState),
    amount_micros=FEW,
    currency_code=st.sampled_from(["USD", "EUR"]),
    provider_time=TIMES,
    rank=FEW,
    withdrawal_count=FEW,
    reinstatement_count=FEW,
    blocks_spending=st.booleans(),
    money_due_time=TIMES,
    event_id=st.sampled_from(["evt_1", "evt_2"]),
)


@given(COMPONENTS, COMPONENTS, COMPONENTS)
def test_joining_is_commutative_associative_and_idempotent(
    one: Component, two: Component, three: Component
) -> None:
    assert join(one, one) == one
    assert join(one, two) == join(two, one)
    assert join(join(one, two), three) == join(one, join(two, three))
    assert join(join(one, two), two) == join(one, two)


def ends(*told: Component) -> set[ComponentState]:
    """Return the states in which these end, told in every order."""
    joined = (reduce(join, order, None) for order in permutations(told))
    return {each.state for each in joined if each is not None}


def component(kind: ComponentKind, state: ComponentState, **told: object) -> Component:
    whole = Component("one", kind, state, 10, "USD", START, 0, event_id="evt_1")
    return replace(whole, **told)  # type: ignore[arg-type]


def test_a_refund_that_failed_stays_so_whatever_is_told_last() -> None:
    told = [
        component(ComponentKind.REFUND, state, provider_time=START - timedelta(days=days))
        for days, state in enumerate(
            [ComponentState.FAILED, ComponentState.SUCCEEDED, ComponentState.PENDING]
        )
    ]
    newest_first = [replace(told[0], provider_time=None), *told[1:]]
    assert ends(*told) == ends(*newest_first) == {ComponentState.FAILED}


def test_a_warning_that_ended_does_not_come_back() -> None:
    open_ = component(ComponentKind.WARNING, ComponentState.OPEN, rank=1)
    assert ends(open_, replace(open_, state=ComponentState.ENDED, rank=0)) == {ComponentState.ENDED}


def test_a_dispute_stands_as_it_was_told_last() -> None:
    opened = component(ComponentKind.DISPUTE, ComponentState.OPEN)
    lost = replace(opened, state=ComponentState.LOST, provider_time=START + timedelta(days=1))
    won = replace(opened, state=ComponentState.WON, provider_time=START + timedelta(days=2))
    assert ends(opened, lost, won) == {ComponentState.WON}


def test_of_one_instant_the_rank_and_then_what_takes_more_is_believed() -> None:
    won = component(ComponentKind.DISPUTE, ComponentState.WON)
    lost = replace(won, state=ComponentState.LOST)
    assert ends(won, lost) == {ComponentState.LOST}
    assert ends(replace(won, rank=1), lost) == {ComponentState.WON}


def test_a_dispute_that_is_told_of_one_instant_takes_what_it_may_take() -> None:
    states = (ComponentState.WON, ComponentState.ENDED, ComponentState.OPEN, ComponentState.LOST)
    for less, more in combinations(states, 2):
        told = [component(ComponentKind.DISPUTE, state) for state in (less, more)]
        assert ends(*told) == {more}


def test_money_went_out_and_came_back_as_often_as_anything_says() -> None:
    gone = component(ComponentKind.DISPUTE, ComponentState.OPEN, withdrawal_count=2)
    back = replace(gone, withdrawal_count=1, reinstatement_count=1)
    for joined in (join(gone, back), join(back, gone)):
        assert (joined.withdrawal_count, joined.reinstatement_count) == (2, 1)


def test_of_two_amounts_a_refund_has_the_larger_and_a_dispute_the_newer() -> None:
    for kind, amount_micros in ((ComponentKind.REFUND, 20), (ComponentKind.DISPUTE, 10)):
        large = component(kind, ComponentState.OPEN, amount_micros=20)
        newer = component(kind, ComponentState.OPEN, provider_time=START + timedelta(days=1))
        assert join(large, newer).amount_micros == amount_micros
