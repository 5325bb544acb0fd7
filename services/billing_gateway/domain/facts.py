"""What was ever told of a subscription: a set that only grows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from libs.levels import SubscriptionState
from services.billing_gateway.domain.observations import (
    LOOK_RANK,
    SubscriptionObserved,
    SubscriptionPaid,
    SubscriptionPaymentFailed,
)

# So long a provider's answers may lag behind its events.
LAG_MAX = timedelta(minutes=15)

# Of two contradictions of one instant the more restrictive is believed.
RESTRICTIVENESS = {
    SubscriptionState.ACTIVE: 0,
    SubscriptionState.TRIALING: 1,
    SubscriptionState.PENDING: 2,
    SubscriptionState.PAST_DUE: 3,
    SubscriptionState.SUSPENDED: 4,
    SubscriptionState.CANCELED: 5,
}


class FactKind(StrEnum):
    """What a fact is about."""

    STATE = "STATE"
    FAILURE = "FAILURE"
    PAYMENT = "PAYMENT"


@dataclass(frozen=True, slots=True)
class SubscriptionFact:
    """One thing that was told of a subscription; (source_id, kind) tells them apart."""

    source_id: str
    kind: FactKind
    provider_time: datetime
    rank: int
    # Whether by itself it begins or ends PAST_DUE; of no matter for a state.
    moves_state: bool = True
    # Of a STATE only.
    state: SubscriptionState | None = None
    details_time: datetime | None = None
    plan_id: str = ""
    customer_id: str = ""
    # Of a PAYMENT too, where one was told.
    period_end_time: datetime | None = None
    cancel_at_period_end: bool = False
    # When the provider, asked, last repeated exactly this.
    confirmed_time: datetime | None = None


SubscriptionTold: TypeAlias = SubscriptionObserved | SubscriptionPaymentFailed | SubscriptionPaid


def facts_of(observation: SubscriptionTold, source_id: str) -> tuple[SubscriptionFact, ...]:
    """Return what an observation tells; nothing if it has no usable time."""
    if observation.provider_time is None:
        return ()
    match observation:
        case SubscriptionObserved():
            return (_state_of(observation, observation.provider_time, source_id),)
        case SubscriptionPaymentFailed():
            kind, period_end_time = FactKind.FAILURE, None
        case SubscriptionPaid():
            kind, period_end_time = FactKind.PAYMENT, observation.period_end_time
    fact = SubscriptionFact(
        source_id=source_id,
        kind=kind,
        provider_time=observation.provider_time,
        rank=0,
        moves_state=observation.moves_state,
        customer_id=observation.customer_id,
        period_end_time=period_end_time,
    )
    return (fact,)


def _state_of(
    observed: SubscriptionObserved, provider_time: datetime, source_id: str
) -> SubscriptionFact:
    details_time = observed.details_time or provider_time
    return SubscriptionFact(
        source_id=source_id,
        kind=FactKind.STATE,
        provider_time=provider_time,
        rank=LOOK_RANK if observed.confirmed else observed.rank,
        state=observed.state,
        details_time=details_time,
        plan_id=observed.plan_id,
        customer_id=observed.customer_id,
        period_end_time=observed.current_period_end_time,
        cancel_at_period_end=observed.cancel_at_period_end,
        confirmed_time=max(provider_time, details_time) if observed.confirmed else None,
    )


@dataclass(frozen=True, slots=True)
class StatePoint:
    """A moment at which the subscription was in the state that a fact tells."""

    provider_time: datetime
    rank: int
    fact: SubscriptionFact
    state: SubscriptionState

    @property
    def order(self) -> tuple[float, int, int, float, str]:
        """Where it stands among all points."""
        end = self.fact.period_end_time
        return (
            self.provider_time.timestamp(),
            self.rank,
            RESTRICTIVENESS[self.state],
            end.timestamp() if end else 0.0,
            self.fact.source_id,
        )


def state_points(facts: Sequence[SubscriptionFact]) -> list[StatePoint]:
    """Return every moment of which a state is known, in order."""
    points = []
    for fact in believed(facts):
        if fact.state is None:
            continue
        points.append(StatePoint(fact.provider_time, fact.rank, fact, fact.state))
        if fact.confirmed_time is not None:
            points.append(StatePoint(fact.confirmed_time, LOOK_RANK, fact, fact.state))
    return sorted(points, key=lambda point: point.order)


def believed(facts: Sequence[SubscriptionFact]) -> list[SubscriptionFact]:
    """Return the facts, answers that lagged behind as what they are: of the time they date."""
    return [_as_dated(fact) if is_outdated(fact, facts) else fact for fact in facts]


def is_outdated(answered: SubscriptionFact, facts: Sequence[SubscriptionFact]) -> bool:
    """Tell whether an answer dates its state before another one that had come by then.

    A provider that says so for long enough is believed all the same.
    """
    asked = answered.confirmed_time
    if asked is None or answered.details_time == answered.provider_time:
        return False
    return any(
        fact.state not in (None, answered.state)
        and answered.provider_time < fact.provider_time < asked < fact.provider_time + LAG_MAX
        for fact in facts
    )


def _as_dated(answered: SubscriptionFact) -> SubscriptionFact:
    is_answer = answered.rank == LOOK_RANK
    details_time = answered.provider_time if is_answer else answered.details_time
    return replace(answered, confirmed_time=None, details_time=details_time)


@dataclass(frozen=True, slots=True)
class NothingNew:
    """It is known already."""


@dataclass(frozen=True, slots=True)
class NewFact:
    """It was not known."""

    fact: SubscriptionFact


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The provider repeated what stands."""

    source_id: str
    time: datetime


FactMerge: TypeAlias = NothingNew | NewFact | Confirmed


def merge_fact(known: Sequence[SubscriptionFact], told: SubscriptionFact) -> FactMerge:
    """Return what a fact adds to those that are known; what only repeats them leaves no row."""
    if any((fact.source_id, fact.kind) == (told.source_id, told.kind) for fact in known):
        return NothingNew()
    if told.kind is FactKind.STATE:
        return _merge_state(state_points(known), told)
    repeats = any(replace(told, source_id=fact.source_id) == fact for fact in known)
    return NothingNew() if repeats else NewFact(told)


def _merge_state(points: Sequence[StatePoint], told: SubscriptionFact) -> FactMerge:
    if told.confirmed_time is None or not points or not _repeats(points[-1].fact, told):
        return NewFact(told)
    last = points[-1]
    if told.confirmed_time <= last.provider_time:
        return NothingNew()
    return Confirmed(last.fact.source_id, told.confirmed_time)


def _repeats(known: SubscriptionFact, told: SubscriptionFact) -> bool:
    """A state that the provider dates itself is the same one only if its date is."""
    is_dated = told.provider_time != told.confirmed_time
    if is_dated and told.provider_time != known.provider_time:
        return False
    return content_of(known) == content_of(told)


def with_merge(
    known: Sequence[SubscriptionFact], merge: NewFact | Confirmed
) -> list[SubscriptionFact]:
    """Return the facts with one that was merged into them."""
    match merge:
        case NewFact():
            return [*known, merge.fact]
        case Confirmed():
            return [
                replace(fact, confirmed_time=merge.time)
                if (fact.source_id, fact.kind) == (merge.source_id, FactKind.STATE)
                else fact
                for fact in known
            ]


def content_of(fact: SubscriptionFact) -> tuple[object, ...]:
    """Return what a state says, whoever says it and when."""
    return fact.state, fact.plan_id, fact.period_end_time, fact.cancel_at_period_end
