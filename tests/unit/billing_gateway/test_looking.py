"""When the provider is asked."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.levels import SubscriptionState
from services.billing_gateway.domain.facts import SubscriptionFact
from services.billing_gateway.domain.looking import (
    CANCEL_AGAIN_MAX,
    CANCEL_AGAIN_MIN,
    CANCEL_AHEAD,
    FUTURE_MAX,
    PERIOD_END_DELAY,
    is_usable,
    next_cancel,
    next_look,
    raises_doubt,
    splits_an_instant,
)
from services.billing_gateway.domain.observations import SubscriptionObserved
from services.billing_gateway.domain.standing import stand
from tests.unit.billing_gateway.fact_stories import (
    GRACE,
    LINK,
    START,
    at,
    failure,
    looked_fact,
    payment,
    state_fact,
)

ACTIVE, PAST_DUE, SUSPENDED, CANCELED = (
    SubscriptionState.ACTIVE,
    SubscriptionState.PAST_DUE,
    SubscriptionState.SUSPENDED,
    SubscriptionState.CANCELED,
)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("told", "doubtful"),
    [
        pytest.param(state_fact(3, SUSPENDED), True, id="late, and it says otherwise"),
        pytest.param(state_fact(3, ACTIVE), False, id="late, and it says the same"),
        pytest.param(state_fact(9, SUSPENDED), False, id="later"),
        pytest.param(state_fact(5, SUSPENDED, source_id="evt-6"), True, id="same instant"),
        pytest.param(state_fact(5, SUSPENDED, rank=2), False, id="same instant, later by rank"),
        pytest.param(
            state_fact(5, ACTIVE, plan_id="pro", source_id="evt-6"),
            True,
            id="same instant, details",
        ),
        pytest.param(state_fact(9, ACTIVE, period_days=None), True, id="good without an end"),
        pytest.param(state_fact(9, ACTIVE, period_days=0), True, id="good, and it ends now"),
        pytest.param(state_fact(9, PAST_DUE, period_days=None), False, id="not good, no end"),
        pytest.param(failure(9), False, id="a failure that says it all"),
        pytest.param(failure(9, moves_state=False), True, id="a failure, but it is active"),
        pytest.param(payment(9), True, id="paid, until when?"),
        pytest.param(payment(9, period_days=31), False, id="paid until then"),
        pytest.param(payment(9, moves_state=False), False, id="paid, as it should be"),
    ],
)
def test_doubt(told: SubscriptionFact, *, doubtful: bool) -> None:
    assert raises_doubt([state_fact(1, ACTIVE), state_fact(5, ACTIVE)], told) == doubtful


def test_a_payment_of_what_is_not_good_is_in_doubt() -> None:
    told = payment(9, period_days=31, moves_state=False)
    assert raises_doubt([state_fact(5, SUSPENDED)], told)
    assert raises_doubt([], told)


def test_a_failure_of_what_is_past_due_is_as_it_should_be() -> None:
    assert not raises_doubt([state_fact(5, PAST_DUE)], failure(9, moves_state=False))


def test_a_period_that_ends_within_a_day_of_its_details_is_in_doubt() -> None:
    told = replace(state_fact(9, ACTIVE), details_time=at(20), period_end_time=at(20) + DAY)
    assert not raises_doubt([], told)
    assert raises_doubt([], replace(told, period_end_time=at(19) + DAY))


def test_an_answer_raises_a_doubt_only_by_contradicting_another_of_its_second() -> None:
    known = [looked_fact(5, ACTIVE)]
    other = replace(looked_fact(5, SUSPENDED), source_id="look-other")
    assert splits_an_instant(known, other)
    assert not splits_an_instant(known, looked_fact(6, SUSPENDED))
    assert not splits_an_instant(known, replace(known[0], source_id="look-other"))
    assert not splits_an_instant([state_fact(5, ACTIVE, rank=0)], payment(5))


@given(st.integers(-10, 10), st.integers(-10, 10))
def test_a_time_too_far_ahead_is_not_kept(provider_minutes: int, details_minutes: int) -> None:
    observed = SubscriptionObserved(
        subscription_id="I-1",
        customer_id="",
        claim=None,
        plan_id="",
        state=ACTIVE,
        current_period_end_time=None,
        cancel_at_period_end=False,
        provider_time=at(provider_minutes),
        details_time=at(details_minutes),
        rank=0,
    )
    ahead = max(provider_minutes, details_minutes)
    assert is_usable(observed, START) == (timedelta(minutes=ahead) <= FUTURE_MAX)
    assert not is_usable(replace(observed, provider_time=None), START)
    alone = replace(observed, details_time=None)
    assert is_usable(alone, START) == (timedelta(minutes=provider_minutes) <= FUTURE_MAX)


@given(st.integers(0, 60), st.floats(0.5, 1.0))
def test_the_next_look_is_an_interval_away_or_when_the_period_has_ended(
    days: int, jitter: float
) -> None:
    subscription = stand(LINK, [state_fact(1, ACTIVE)], GRACE)
    now = START + days * DAY
    due = next_look(subscription, now, 2 * DAY, jitter)
    assert due is not None
    assert now < due <= now + 2 * DAY * jitter
    period_over = START + 30 * DAY + PERIOD_END_DELAY
    if now < period_over:
        assert due <= period_over


def test_the_end_of_a_period_is_looked_at_once() -> None:
    subscription = stand(LINK, [state_fact(1, ACTIVE)], GRACE)
    period_over = START + 30 * DAY + PERIOD_END_DELAY
    assert next_look(subscription, period_over - DAY / 2, DAY, 1.0) == period_over
    assert next_look(subscription, period_over, DAY, 1.0) == period_over + DAY
    without_end = stand(LINK, [state_fact(1, ACTIVE, period_days=None)], GRACE)
    assert next_look(without_end, START, DAY, 1.0) == START + DAY


def test_what_has_ended_is_not_looked_at() -> None:
    assert next_look(stand(LINK, [state_fact(1, CANCELED)], GRACE), START, DAY, 1.0) is None


def test_what_the_provider_would_not_end_it_is_asked_to_end_ever_more_rarely() -> None:
    subscription = stand(LINK, [state_fact(1, ACTIVE)], GRACE)
    due = START + 30 * DAY - CANCEL_AHEAD
    for overdue, wait in (
        (timedelta(0), CANCEL_AGAIN_MIN),
        (timedelta(hours=2), timedelta(hours=2)),
        (9 * DAY, CANCEL_AGAIN_MAX),
    ):
        assert next_cancel(subscription, due + overdue) == due + overdue + wait
    # It was paid for another period in the meantime.
    assert next_cancel(subscription, due - 7 * DAY) == due
    unknown = stand(LINK, [state_fact(1, ACTIVE, period_days=None)], GRACE)
    assert next_cancel(unknown, START) == START + CANCEL_AGAIN_MAX
