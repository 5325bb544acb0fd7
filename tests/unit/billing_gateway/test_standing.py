"""How an organization stands: any order of the same events ends the same."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from libs.levels import SubscriptionState
from services.billing_gateway.domain.facts import facts_of
from services.billing_gateway.domain.observations import Claim, SubscriptionObserved
from services.billing_gateway.domain.standing import (
    deciding_subscription,
    good_until,
    organization_standing,
    see,
    stand,
)
from services.billing_gateway.domain.values import Provider, Subscription

START = datetime(2026, 1, 1, tzinfo=UTC)
SLACK = timedelta(days=1)

LINKED = Subscription(
    organization_id="org-1",
    provider=Provider.STRIPE,
    subscription_id="sub_1",
    linked_plan_id="plan-of-the-link",
)

observations = st.builds(
    SubscriptionObserved,
    subscription_id=st.just("sub_1"),
    customer_id=st.just("cus_1"),
    claim=st.just(Claim("org-1")),
    plan_id=st.sampled_from(["basic", "pro"]),
    state=st.sampled_from(SubscriptionState),
    current_period_end_time=st.just(START + timedelta(days=30)),
    cancel_at_period_end=st.booleans(),
    provider_time=st.integers(0, 3).map(lambda seconds: START + timedelta(seconds=seconds)),
    details_time=st.just(START),
    rank=st.integers(0, 2),
)
stories = st.lists(observations, min_size=1, max_size=12).flatmap(
    lambda story: st.tuples(
        st.just(list(enumerate(story))), st.permutations(list(enumerate(story)))
    )
)


def play(story: Sequence[tuple[int, SubscriptionObserved]]) -> Subscription:
    facts = [fact for number, told in story for fact in facts_of(told, f"evt_{number}")]
    return stand(LINKED, facts, timedelta(0))


@given(stories)
def test_any_order_with_any_repetition_ends_the_same(
    story: tuple[
        Sequence[tuple[int, SubscriptionObserved]], Sequence[tuple[int, SubscriptionObserved]]
    ],
) -> None:
    told, shuffled = story
    assert play(told) == play(shuffled) == play([*shuffled, *told])


def observed(state: SubscriptionState, seconds: int = 0, rank: int = 1) -> SubscriptionObserved:
    return SubscriptionObserved(
        subscription_id="sub_1",
        customer_id="cus_1",
        claim=None,
        plan_id="basic",
        state=state,
        current_period_end_time=START + timedelta(days=30),
        cancel_at_period_end=False,
        provider_time=START + timedelta(seconds=seconds),
        details_time=START + timedelta(seconds=seconds),
        rank=rank,
    )


def test_what_was_said_later_stands_although_it_came_earlier() -> None:
    subscription = play(
        [(1, observed(SubscriptionState.PAST_DUE, 9)), (2, observed(SubscriptionState.ACTIVE, 5))]
    )
    assert subscription.state is SubscriptionState.PAST_DUE


def test_a_canceled_subscription_never_comes_back() -> None:
    subscription = play(
        [(1, observed(SubscriptionState.CANCELED, 5)), (2, observed(SubscriptionState.ACTIVE, 9))]
    )
    assert subscription.state is SubscriptionState.CANCELED


def test_of_two_contradictions_in_one_second_the_more_restrictive_is_believed() -> None:
    subscription = play(
        [(1, observed(SubscriptionState.PAST_DUE)), (2, observed(SubscriptionState.ACTIVE))]
    )
    assert subscription.state is SubscriptionState.PAST_DUE


def test_of_two_good_states_in_one_second_the_longer_period_stands() -> None:
    short = observed(SubscriptionState.ACTIVE)
    long = replace(short, current_period_end_time=START + timedelta(days=60))
    for story in ([(1, short), (2, long)], [(1, long), (2, short)]):
        assert play(story).current_period_end_time == START + timedelta(days=60)


def test_only_active_and_trialing_give_good_standing() -> None:
    good = {
        state
        for state in SubscriptionState
        if good_until(play([(1, observed(state))]), SLACK) is not None
    }
    assert good == {SubscriptionState.ACTIVE, SubscriptionState.TRIALING}


def test_good_standing_ends_with_the_paid_period_and_its_slack() -> None:
    subscription = play([(1, observed(SubscriptionState.ACTIVE))])
    end = START + timedelta(days=31)
    assert see(subscription, SLACK, end - timedelta(microseconds=1)).good_standing
    assert not see(subscription, SLACK, end).good_standing


def test_an_organization_is_in_good_standing_if_any_subscription_is() -> None:
    canceled = play([(1, observed(SubscriptionState.CANCELED, 9))])
    active = replace(play([(2, observed(SubscriptionState.ACTIVE))]), subscription_id="sub_2")
    level = organization_standing([canceled, active], None, SLACK, START, revision=4).level
    assert level.good_standing
    assert level.state is SubscriptionState.ACTIVE
    assert level.good_until == START + timedelta(days=31)
    assert deciding_subscription([canceled, active], SLACK, START) == active
    alone = organization_standing([canceled], None, SLACK, START, revision=5)
    assert not alone.level.good_standing


def test_what_the_provider_tells_of_the_plan_comes_before_the_link() -> None:
    assert LINKED.plan_id == "plan-of-the-link"
    assert play([(1, observed(SubscriptionState.ACTIVE))]).plan_id == "basic"
