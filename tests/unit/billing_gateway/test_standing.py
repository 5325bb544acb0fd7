"""How a subscription and its organization stand: what is known counts, not how it was heard."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from libs.levels import SubscriptionState
from services.billing_gateway.domain.facts import LAG_MAX, FactKind, SubscriptionFact
from services.billing_gateway.domain.observations import CREATED_RANK
from services.billing_gateway.domain.standing import (
    PROVISIONAL_PERIOD,
    deciding_subscription,
    good_until,
    organization_standing,
    see,
    stand,
)
from services.billing_gateway.domain.values import GOOD_STATES, Subscription
from tests.unit.billing_gateway.fact_stories import (
    GRACE,
    LINK,
    SLACK,
    START,
    any_facts,
    at,
    failure,
    looked_fact,
    orderly_stories,
    payment,
    shuffles,
    state_fact,
)

PENDING, TRIALING, ACTIVE, PAST_DUE, SUSPENDED, CANCELED = (
    SubscriptionState.PENDING,
    SubscriptionState.TRIALING,
    SubscriptionState.ACTIVE,
    SubscriptionState.PAST_DUE,
    SubscriptionState.SUSPENDED,
    SubscriptionState.CANCELED,
)


def told(*facts: SubscriptionFact, grace: timedelta = GRACE) -> Subscription:
    return stand(LINK, facts, grace)


@given(shuffles)
def test_any_order_with_any_repetition_ends_the_same(
    story: tuple[Sequence[SubscriptionFact], Sequence[SubscriptionFact]],
) -> None:
    facts, shuffled = story
    assert told(*facts) == told(*shuffled) == told(*shuffled, *facts)


def test_of_one_instant_an_event_tells_newer_details_than_an_answer() -> None:
    asked = looked_fact(5, ACTIVE)
    event = replace(state_fact(5, ACTIVE), cancel_at_period_end=True)
    assert told(asked, event).cancel_at_period_end
    repeated = replace(state_fact(3, ACTIVE, source_id="evt-z"), confirmed_time=at(5))
    assert told(repeated, event).cancel_at_period_end
    assert not told(event, looked_fact(6, ACTIVE)).cancel_at_period_end


def test_of_one_instant_an_answer_is_newer_than_the_creation() -> None:
    created = state_fact(5, PENDING, rank=CREATED_RANK, period_days=None)
    stands = told(created, looked_fact(5, ACTIVE))
    assert (stands.state, stands.current_period_end_time) == (ACTIVE, START + timedelta(days=30))


def step_by_step(
    story: Sequence[SubscriptionFact],
) -> tuple[SubscriptionState, datetime | None, datetime | None, datetime | None]:
    """What one would write who hears everything in order.

    That is the state, since when, past due since when, and the period's end.
    """
    state, since, failing_since, end = PENDING, None, None, None
    for fact in story:
        if fact.state is not None:
            end = fact.period_end_time
            if state is CANCELED:
                continue
            stays_good = {state, fact.state} <= GOOD_STATES
            stays_past_due = state is fact.state is PAST_DUE
            if not stays_good and not stays_past_due:
                failing_since = fact.provider_time if fact.state is PAST_DUE else None
            if since is None or state is not fact.state:
                since = fact.provider_time
            state = fact.state
        elif fact.kind is FactKind.FAILURE:
            if state in GOOD_STATES:
                failing_since = failing_since or fact.provider_time
        else:
            if state in GOOD_STATES:
                failing_since = None
            bought = fact.period_end_time or fact.provider_time + PROVISIONAL_PERIOD
            end = max(end, bought) if end else bought
    if state is CANCELED:
        end = None
    return PAST_DUE if failing_since else state, failing_since or since, failing_since, end


@given(orderly_stories())
def test_it_is_what_one_would_write_who_hears_everything_in_order(
    story: Sequence[SubscriptionFact],
) -> None:
    subscription = told(*reversed(story))
    assert step_by_step(story) == (
        subscription.state,
        subscription.provider_time,
        subscription.past_due_time,
        subscription.current_period_end_time,
    )


@given(any_facts, any_facts)
def test_a_canceled_subscription_never_comes_back(
    before: Sequence[SubscriptionFact], after: Sequence[SubscriptionFact]
) -> None:
    canceled = replace(state_fact(5, CANCELED), source_id="evt-canceled")
    subscription = told(*before, canceled, *after)
    assert subscription.state is CANCELED
    assert subscription.past_due_time is None
    assert good_until(subscription, SLACK) is None


@given(any_facts, st.integers(0, 9))
def test_one_more_failure_never_moves_the_grace_later(
    facts: Sequence[SubscriptionFact], minutes: int
) -> None:
    before = told(*facts)
    after = told(*facts, replace(failure(minutes), source_id="evt-more"))
    if before.past_due_time is not None:
        assert after.past_due_time is not None
        assert after.past_due_time <= before.past_due_time


@given(any_facts)
def test_the_grace_is_counted_from_the_providers_time_and_only_while_past_due(
    facts: Sequence[SubscriptionFact],
) -> None:
    subscription = told(*facts)
    assert (subscription.state is PAST_DUE) == (subscription.past_due_time is not None)
    if subscription.past_due_time is None:
        assert subscription.grace_end_time is None
    else:
        assert subscription.grace_end_time == subscription.past_due_time + GRACE
        assert subscription.past_due_time in {fact.provider_time for fact in facts} | {
            fact.confirmed_time for fact in facts
        }


@given(any_facts, st.integers(0, 9), st.integers(0, 9))
def test_more_slack_never_ends_good_standing_sooner(
    facts: Sequence[SubscriptionFact], less: int, more: int
) -> None:
    subscription = told(*facts)
    sooner = good_until(subscription, timedelta(days=min(less, more)))
    later = good_until(subscription, timedelta(days=max(less, more)))
    assert (sooner is None) == (later is None)
    assert sooner is None or later is None or sooner <= later


@given(orderly_stories(), st.lists(st.integers(0, 12), max_size=3))
def test_a_look_that_tells_the_truth_changes_nothing_wherever_it_comes(
    story: Sequence[SubscriptionFact], looks: Sequence[int]
) -> None:
    answers = []
    for minutes in looks:
        heard = [fact for fact in story if fact.state and fact.provider_time <= at(minutes)]
        if heard and CANCELED not in {fact.state for fact in heard[:-1]}:
            since = int((heard[-1].provider_time - START).total_seconds()) // 60
            assert heard[-1].state is not None
            answers.append(looked_fact(minutes, heard[-1].state, since_minutes=since))
            answers[-1] = replace(answers[-1], source_id=f"look-{minutes}-{len(answers)}")
    plain, looked = told(*story), told(*story, *answers)
    assert (plain.state, plain.past_due_time) == (looked.state, looked.past_due_time)
    # By it one of several subscriptions decides.
    assert plain.provider_time == looked.provider_time


def test_what_was_said_later_stands_although_it_came_earlier() -> None:
    assert told(state_fact(9, PAST_DUE), state_fact(5, ACTIVE)).state is PAST_DUE


def test_of_two_contradictions_of_one_instant_the_more_restrictive_is_believed() -> None:
    order = (ACTIVE, TRIALING, PENDING, PAST_DUE, SUSPENDED, CANCELED)
    for less, more in itertools.combinations(order, 2):
        for one, other in ((less, more), (more, less)):
            contradiction = state_fact(5, one), state_fact(5, other, source_id="evt-6")
            assert told(*contradiction).state is more


def test_of_two_good_states_of_one_instant_the_longer_period_stands() -> None:
    short = state_fact(5, ACTIVE, source_id="evt-9")
    long = state_fact(5, ACTIVE, source_id="evt-1", period_days=60)
    assert told(short, long).current_period_end_time == START + timedelta(days=60)


def test_at_one_instant_an_event_is_newer_than_an_answer() -> None:
    assert told(looked_fact(5, ACTIVE), state_fact(5, SUSPENDED, rank=0)).state is SUSPENDED
    assert told(looked_fact(5, SUSPENDED), state_fact(5, ACTIVE, rank=0)).state is ACTIVE


def test_an_answer_counts_at_the_time_of_the_question() -> None:
    late = state_fact(7, SUSPENDED)
    assert told(looked_fact(9, ACTIVE), late).state is ACTIVE
    assert told(looked_fact(9, ACTIVE, since_minutes=8), late).state is ACTIVE
    assert told(looked_fact(6, ACTIVE, since_minutes=3), late).state is SUSPENDED


def test_an_answer_that_dates_its_state_before_what_came_since_counts_as_of_its_date() -> None:
    """PayPal may answer from a copy that has not heard yet."""
    before, since = state_fact(1, ACTIVE, period_days=2), state_fact(7, SUSPENDED)
    for state, heard in ((ACTIVE, SUSPENDED), (SUSPENDED, ACTIVE)):
        behind = looked_fact(9, state, since_minutes=3)
        subscription = told(before, replace(since, state=heard, period_end_time=at(99)), behind)
        assert (subscription.state, subscription.current_period_end_time) == (heard, at(99))
    confirmed = replace(before, details_time=at(2), confirmed_time=at(9))
    assert told(confirmed, since).state is SUSPENDED
    assert told(confirmed, replace(since, state=ACTIVE)).current_period_end_time == at(2 * 24 * 60)


def test_what_a_provider_says_for_long_is_believed_however_it_is_dated() -> None:
    since = state_fact(7, SUSPENDED)
    minutes = 7 + int(LAG_MAX.total_seconds()) // 60
    assert told(since, looked_fact(minutes - 1, ACTIVE, since_minutes=3)).state is SUSPENDED
    assert told(since, looked_fact(minutes, ACTIVE, since_minutes=3)).state is ACTIVE


def test_a_failure_is_not_forgotten_by_an_answer_that_says_active() -> None:
    """PayPal stays ACTIVE for weeks while it cannot collect."""
    subscription = told(state_fact(1, ACTIVE), failure(3), looked_fact(5, ACTIVE, since_minutes=1))
    assert subscription.state is PAST_DUE
    assert subscription.past_due_time == at(3)


def test_a_payment_ends_past_due_but_neither_a_suspension_nor_the_end() -> None:
    for state, after in ((ACTIVE, ACTIVE), (SUSPENDED, SUSPENDED), (CANCELED, CANCELED)):
        assert told(state_fact(1, state), failure(3), payment(5)).state is after


def test_a_failure_of_the_same_instant_as_a_payment_counts() -> None:
    assert told(state_fact(1, ACTIVE), failure(3), payment(3)).state is PAST_DUE


def test_what_the_provider_itself_counts_does_not_move_the_state() -> None:
    stripe = [failure(3, moves_state=False), payment(5, moves_state=False)]
    assert told(state_fact(1, ACTIVE), stripe[0]).state is ACTIVE
    assert told(state_fact(1, ACTIVE), failure(3), stripe[1]).state is PAST_DUE


def test_what_failed_before_a_suspension_is_over_when_it_is_active_again() -> None:
    story = [state_fact(1, ACTIVE), failure(2), state_fact(3, SUSPENDED), state_fact(5, ACTIVE)]
    assert told(*story).state is ACTIVE


def test_a_payment_after_the_details_buys_a_day_until_somebody_tells() -> None:
    renewed = told(state_fact(1, ACTIVE, period_days=0), payment(7))
    assert renewed.current_period_end_time == at(7) + PROVISIONAL_PERIOD
    longer = told(state_fact(1, ACTIVE, period_days=0), payment(7, period_days=31))
    assert longer.current_period_end_time == START + timedelta(days=31)
    shown_before = told(state_fact(9, ACTIVE, period_days=0), payment(7))
    assert shown_before.current_period_end_time == START


def test_details_are_as_new_as_their_last_confirmation() -> None:
    confirmed = replace(state_fact(1, ACTIVE, plan_id="basic"), confirmed_time=at(9))
    assert told(confirmed, state_fact(5, ACTIVE, plan_id="pro")).plan_id == "basic"
    assert told(confirmed, state_fact(10, ACTIVE, plan_id="pro")).plan_id == "pro"


def test_details_may_be_newer_than_the_state_that_they_come_with() -> None:
    changed = replace(state_fact(1, ACTIVE, plan_id="pro"), details_time=at(9))
    assert told(changed, state_fact(5, SUSPENDED, plan_id="basic")).plan_id == "pro"


def test_details_that_nobody_told_last_are_those_told_before() -> None:
    subscription = told(
        state_fact(1, ACTIVE, plan_id="basic", customer_id=""),
        state_fact(5, ACTIVE, plan_id="", customer_id="payer-1"),
        state_fact(7, ACTIVE, plan_id="", customer_id="payer-2"),
    )
    assert (subscription.plan_id, subscription.customer_id) == ("basic", "payer-1")
    assert told().plan_id == "plan-of-the-link"
    learnt = replace(LINK, learnt_customer_id="payer-of-the-checkout")
    assert stand(learnt, [failure(1)], GRACE).customer_id == "payer-of-the-checkout"


def test_whether_it_ends_with_its_period_is_as_the_newest_details_say() -> None:
    ends = replace(state_fact(5, ACTIVE), cancel_at_period_end=True)
    assert told(state_fact(1, ACTIVE), ends).cancel_at_period_end
    assert not told(ends, state_fact(7, ACTIVE)).cancel_at_period_end
    assert not told(failure(1)).cancel_at_period_end


def test_only_paid_states_with_an_end_give_good_standing_and_past_due_while_its_grace_lasts() -> (
    None
):
    good = {state for state in SubscriptionState if good_until(told(state_fact(1, state)), SLACK)}
    assert good == {TRIALING, ACTIVE, PAST_DUE}
    assert good_until(told(state_fact(1, PAST_DUE), grace=timedelta(0)), SLACK) is None
    assert good_until(told(state_fact(1, ACTIVE, period_days=None)), SLACK) is None
    assert good_until(told(state_fact(1, PAST_DUE)), SLACK) == at(1) + GRACE


def test_good_standing_ends_with_the_paid_period_and_its_slack() -> None:
    subscription = told(state_fact(1, ACTIVE))
    end = START + timedelta(days=31)
    assert see(subscription, SLACK, end - timedelta(microseconds=1)).good_standing
    assert not see(subscription, SLACK, end).good_standing


def test_the_subscription_that_is_good_for_longest_decides_or_else_the_one_that_changed_last() -> (
    None
):
    canceled = replace(told(state_fact(9, CANCELED)), subscription_id="I-9")
    active = told(state_fact(5, ACTIVE))
    level = organization_standing([canceled, active], None, SLACK, START, revision=4).level
    assert (level.state, level.good_standing, level.good_until) == (
        ACTIVE,
        True,
        START + timedelta(days=31),
    )
    assert deciding_subscription([canceled, active], SLACK, START) == active
    after = START + timedelta(days=31)
    assert deciding_subscription([canceled, active], SLACK, after) == canceled
    assert not organization_standing([canceled, active], None, SLACK, after, 4).level.good_standing


def test_an_operator_lets_send_whoever_has_no_subscription() -> None:
    standing = organization_standing([], START + GRACE, SLACK, START, revision=1)
    assert (standing.level.state, standing.level.good_until) == (PENDING, START + GRACE)
    over = organization_standing([], START + GRACE, SLACK, START + GRACE, revision=1)
    assert not over.level.good_standing
    assert over.reevaluate_time is None


def test_under_a_longer_grace_a_subscription_that_lapses_leaves_the_state_to_another() -> None:
    canceled = replace(told(state_fact(9, CANCELED)), subscription_id="I-9")
    linked = [canceled, told(state_fact(5, ACTIVE))]
    grace_end = START + timedelta(days=60)
    standing = organization_standing(linked, grace_end, SLACK, START, revision=1)
    assert standing.level.state is ACTIVE
    assert standing.reevaluate_time == START + timedelta(days=31)
    lapsed = organization_standing(linked, grace_end, SLACK, START + timedelta(days=31), 1)
    assert (lapsed.level.state, lapsed.level.good_standing) == (CANCELED, True)


subscriptions = st.lists(any_facts.map(lambda facts: stand(LINK, facts, GRACE)), max_size=3)


@given(subscriptions, st.none() | st.integers(0, 9), st.integers(0, 9))
def test_a_level_holds_until_it_is_to_be_looked_at_again(
    linked: Sequence[Subscription], grace_days: int | None, days: int
) -> None:
    linked = [replace(each, subscription_id=f"I-{n}") for n, each in enumerate(linked)]
    grace_end = None if grace_days is None else START + timedelta(days=grace_days)
    end = START + timedelta(days=days)
    standing = organization_standing(linked, grace_end, SLACK, START, revision=1)
    for _ in itertools.count():
        due = standing.reevaluate_time
        if due is None or due > end:
            break
        assert due > START
        standing = organization_standing(linked, grace_end, SLACK, due, revision=1)
    assert standing.level == organization_standing(linked, grace_end, SLACK, end, 1).level
