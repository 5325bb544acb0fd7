"""Facts of a subscription, and strategies for sets of them."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from libs.levels import SubscriptionState
from services.billing_gateway.domain.facts import FactKind, SubscriptionFact
from services.billing_gateway.domain.observations import LOOK_RANK
from services.billing_gateway.domain.values import Provider, Subscription

START = datetime(2026, 1, 1, tzinfo=UTC)
GRACE = timedelta(days=3)
SLACK = timedelta(days=1)

LINK = Subscription(
    organization_id="org-1",
    provider=Provider.PAYPAL,
    subscription_id="I-1",
    linked_plan_id="plan-of-the-link",
)


def at(minutes: int) -> datetime:
    """Return a time of the story."""
    return START + timedelta(minutes=minutes)


def state_fact(
    minutes: int,
    state: SubscriptionState,
    *,
    rank: int = 1,
    plan_id: str = "basic",
    customer_id: str = "payer-1",
    period_days: int | None = 30,
    source_id: str = "",
) -> SubscriptionFact:
    """Return an event's word on the state."""
    return SubscriptionFact(
        source_id=source_id or f"evt-{minutes}",
        kind=FactKind.STATE,
        provider_time=at(minutes),
        rank=rank,
        state=state,
        details_time=at(minutes),
        plan_id=plan_id,
        customer_id=customer_id,
        period_end_time=None if period_days is None else START + timedelta(days=period_days),
    )


def looked_fact(
    minutes: int, state: SubscriptionState, *, since_minutes: int | None = None
) -> SubscriptionFact:
    """Return an answer's word on the state; since_minutes, where the provider dates it."""
    since = minutes if since_minutes is None else since_minutes
    return SubscriptionFact(
        source_id=f"look-{minutes}",
        kind=FactKind.STATE,
        provider_time=at(since),
        rank=LOOK_RANK,
        state=state,
        details_time=at(minutes),
        plan_id="basic",
        customer_id="payer-1",
        period_end_time=START + timedelta(days=30),
        confirmed_time=at(minutes),
    )


def failure(minutes: int, *, moves_state: bool = True) -> SubscriptionFact:
    """Return a failed attempt to collect."""
    return SubscriptionFact(
        source_id=f"evt-{minutes}-failure",
        kind=FactKind.FAILURE,
        provider_time=at(minutes),
        rank=0,
        moves_state=moves_state,
    )


def payment(
    minutes: int, *, period_days: int | None = None, moves_state: bool = True
) -> SubscriptionFact:
    """Return what was paid."""
    return SubscriptionFact(
        source_id=f"evt-{minutes}-payment",
        kind=FactKind.PAYMENT,
        provider_time=at(minutes),
        rank=0,
        moves_state=moves_state,
        period_end_time=None if period_days is None else START + timedelta(days=period_days),
    )


def _numbered(facts: list[SubscriptionFact]) -> list[SubscriptionFact]:
    known = {(fact.source_id, fact.kind): fact for fact in facts}
    return list(known.values())


minutes = st.integers(0, 9)
states = st.sampled_from(SubscriptionState)
periods = st.none() | st.integers(1, 3)

any_fact = st.one_of(
    st.builds(
        state_fact,
        minutes,
        states,
        rank=st.integers(0, 2),
        plan_id=st.sampled_from(["", "basic", "pro"]),
        customer_id=st.sampled_from(["", "payer-1", "payer-2"]),
        period_days=periods,
        source_id=st.integers(0, 99).map(lambda number: f"evt-{number}"),
    ),
    st.builds(looked_fact, minutes, states),
    st.builds(looked_fact, minutes.map(lambda until: 9 + until), states, since_minutes=minutes),
    st.builds(failure, minutes, moves_state=st.booleans()),
    st.builds(payment, minutes, period_days=periods, moves_state=st.booleans()),
)
# Of one instant, contradicting, with holes: whatever providers may come up with.
any_facts = st.lists(any_fact, max_size=12).map(_numbered)
shuffles = any_facts.flatmap(lambda facts: st.tuples(st.just(facts), st.permutations(facts)))


@st.composite
def orderly_stories(draw: st.DrawFn) -> list[SubscriptionFact]:
    """Draw facts in order, no two of one time."""
    story: list[SubscriptionFact] = []
    for number in range(draw(st.integers(0, 10))):
        facts = (
            state_fact(number, draw(states), period_days=draw(periods)),
            failure(number),
            payment(number, period_days=draw(periods)),
        )
        story.append(draw(st.sampled_from(facts)))
    return story
