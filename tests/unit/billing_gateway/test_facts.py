"""From what is told to facts, and which of them are new."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from hypothesis import given

from libs.levels import SubscriptionState
from services.billing_gateway.domain.facts import (
    Confirmed,
    FactKind,
    NewFact,
    NothingNew,
    SubscriptionFact,
    facts_of,
    merge_fact,
    with_merge,
)
from services.billing_gateway.domain.observations import (
    LOOK_RANK,
    SubscriptionObserved,
    SubscriptionPaid,
    SubscriptionPaymentFailed,
)
from services.billing_gateway.domain.standing import stand
from tests.unit.billing_gateway.fact_stories import (
    GRACE,
    LINK,
    START,
    any_facts,
    at,
    failure,
    looked_fact,
    payment,
    shuffles,
    state_fact,
)

ACTIVE, SUSPENDED = SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED

OBSERVED = SubscriptionObserved(
    subscription_id="I-1",
    customer_id="payer-1",
    claim=None,
    plan_id="basic",
    state=ACTIVE,
    current_period_end_time=START + timedelta(days=30),
    cancel_at_period_end=True,
    provider_time=at(1),
    details_time=at(3),
    rank=2,
)


def test_a_state_has_its_time_its_details_have_theirs_and_an_answer_both() -> None:
    [told] = facts_of(OBSERVED, "evt-1")
    assert (told.provider_time, told.details_time, told.rank) == (at(1), at(3), 2)
    assert (told.state, told.cancel_at_period_end, told.confirmed_time) == (ACTIVE, True, None)
    [answered] = facts_of(replace(OBSERVED, confirmed=True), "look-1")
    assert (answered.rank, answered.confirmed_time) == (LOOK_RANK, at(3))


def test_payments_and_failures_are_facts_of_their_own() -> None:
    of_failure = SubscriptionPaymentFailed("I-1", "payer-1", at(1), moves_state=True)
    [failed] = facts_of(of_failure, "evt-1")
    assert (failed.kind, failed.moves_state, failed.state) == (FactKind.FAILURE, True, None)
    of_payment = SubscriptionPaid("I-1", "", None, at(1), at(9), moves_state=False)
    [paid] = facts_of(of_payment, "evt-1")
    assert (paid.kind, paid.moves_state, paid.period_end_time) == (FactKind.PAYMENT, False, at(9))


def test_what_has_no_usable_time_is_no_fact() -> None:
    assert facts_of(replace(OBSERVED, provider_time=None), "evt-1") == ()


def hear(facts: Sequence[SubscriptionFact]) -> list[SubscriptionFact]:
    known: list[SubscriptionFact] = []
    for told in facts:
        merge = merge_fact(known, told)
        if not isinstance(merge, NothingNew):
            known = with_merge(known, merge)
    return known


@given(shuffles)
def test_what_is_kept_stands_as_if_everything_were(
    story: tuple[Sequence[SubscriptionFact], Sequence[SubscriptionFact]],
) -> None:
    """But for answers: of those only the last of each state is kept."""
    facts, shuffled = ([each for each in part if not each.confirmed_time] for part in story)
    expected = stand(LINK, facts, GRACE)
    assert stand(LINK, hear([*shuffled, *facts]), GRACE) == expected


@given(any_facts)
def test_what_was_heard_is_not_heard_again(facts: Sequence[SubscriptionFact]) -> None:
    known = hear(facts)
    heard_again = [
        merge_fact(known, fact)
        for fact in facts
        if not fact.confirmed_time and isinstance(merge_fact(known, fact), NewFact)
    ]
    assert heard_again == []


def test_an_answer_that_repeats_what_stands_confirms_it() -> None:
    known = [state_fact(1, ACTIVE), state_fact(3, SUSPENDED)]
    assert merge_fact(known, looked_fact(5, SUSPENDED)) == Confirmed("evt-3", at(5))
    assert isinstance(merge_fact(known, looked_fact(5, ACTIVE)), NewFact)
    confirmed = with_merge(known, Confirmed("evt-3", at(5)))
    assert merge_fact(confirmed, looked_fact(4, SUSPENDED)) == NothingNew()
    assert merge_fact(confirmed, looked_fact(6, SUSPENDED)) == Confirmed("evt-3", at(6))


def test_an_answer_with_other_details_is_a_fact_of_its_own() -> None:
    known = [state_fact(1, ACTIVE)]
    for other in (
        replace(looked_fact(5, ACTIVE), plan_id="pro"),
        replace(looked_fact(5, ACTIVE), period_end_time=at(99)),
        replace(looked_fact(5, ACTIVE), cancel_at_period_end=True),
    ):
        assert isinstance(merge_fact(known, other), NewFact)


def test_an_answer_that_dates_the_state_otherwise_is_a_fact_of_its_own() -> None:
    """It has been something else in between, of which nobody has told yet."""
    known = [state_fact(1, ACTIVE)]
    assert isinstance(merge_fact(known, looked_fact(5, ACTIVE, since_minutes=4)), NewFact)
    same = looked_fact(5, ACTIVE, since_minutes=1)
    assert merge_fact(known, same) == Confirmed("evt-1", at(5))


def test_the_same_payment_told_by_another_event_adds_nothing() -> None:
    known = [payment(3), failure(5)]
    for told in known:
        assert merge_fact(known, replace(told, source_id="evt-other")) == NothingNew()
        later = replace(told, source_id="evt-other", provider_time=at(7))
        assert merge_fact(known, later) == NewFact(later)
