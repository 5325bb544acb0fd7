"""How an organization stands: a subscription is the fold of the set of its facts.

What stands follows from the set alone, so neither the order in which facts are heard nor their
repetition matters.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from libs.levels import SubscriptionLevel, SubscriptionState
from services.billing_gateway.domain.facts import (
    FactKind,
    StatePoint,
    SubscriptionFact,
    believed,
    state_points,
)
from services.billing_gateway.domain.observations import LOOK_RANK
from services.billing_gateway.domain.values import GOOD_STATES, Subscription

# What a payment is taken to buy where nothing tells how long: PayPal sends no event with the end of
# a renewed period, so this bridges the time until it is asked.
PROVISIONAL_PERIOD = timedelta(days=1)


def stand(link: Subscription, facts: Sequence[SubscriptionFact], grace: timedelta) -> Subscription:
    """Return the subscription as it follows from everything that was told of it."""
    known = sorted(believed(facts), key=_details_order)
    points = state_points(known)
    told = _standing_point(points)
    state = told.state if told else SubscriptionState.PENDING
    past_due_time = _past_due_time(points, told, known) if told else None
    details = next((fact for fact in reversed(known) if fact.kind is FactKind.STATE), None)
    return replace(
        link,
        learnt_customer_id=_first_customer(known) or link.learnt_customer_id,
        told_plan_id=_last_plan(known),
        state=SubscriptionState.PAST_DUE if past_due_time else state,
        provider_time=past_due_time or (_since(points, told) if told else None),
        # What has ended has no period; of when it would have, providers tell this or that.
        current_period_end_time=(
            None if state is SubscriptionState.CANCELED else _period_end(details, known)
        ),
        cancel_at_period_end=details.cancel_at_period_end if details else False,
        past_due_time=past_due_time,
        grace_end_time=past_due_time + grace if past_due_time and grace else None,
    )


def _details_time(fact: SubscriptionFact) -> datetime:
    times = (fact.details_time, fact.confirmed_time)
    return max((time for time in times if time), default=fact.provider_time)


def _details_order(fact: SubscriptionFact) -> tuple[float, int, float, str, str]:
    end = fact.period_end_time
    time = _details_time(fact)
    return (
        time.timestamp(),
        fact.rank if time == fact.details_time else LOOK_RANK,
        end.timestamp() if end else 0.0,
        fact.source_id,
        fact.kind,
    )


def _first_customer(known: Sequence[SubscriptionFact]) -> str:
    return next((fact.customer_id for fact in known if fact.customer_id), "")


def _last_plan(known: Sequence[SubscriptionFact]) -> str:
    return next((fact.plan_id for fact in reversed(known) if fact.plan_id), "")


def _standing_point(points: Sequence[StatePoint]) -> StatePoint | None:
    """A canceled subscription never comes back, whatever is told of later."""
    ended = [point for point in points if point.state is SubscriptionState.CANCELED]
    return max(ended or points, key=lambda point: point.order, default=None)


def _since(points: Sequence[StatePoint], told: StatePoint) -> datetime:
    """Return since when it has been in the state that stands, whoever asked how often since."""
    if told.state is SubscriptionState.CANCELED:
        return next(point.provider_time for point in points if point.state is told.state)
    return _run_start(points, frozenset({told.state}))


def _past_due_time(
    points: Sequence[StatePoint], told: StatePoint, known: Sequence[SubscriptionFact]
) -> datetime | None:
    """Return when the payments began to fail; by the provider's times alone."""
    if told.state is SubscriptionState.PAST_DUE:
        return _run_start(points, frozenset({SubscriptionState.PAST_DUE}))
    if told.state not in GOOD_STATES:
        return None
    since = max([_run_start(points, GOOD_STATES), *_times_of(known, FactKind.PAYMENT)])
    return min((time for time in _times_of(known, FactKind.FAILURE) if time >= since), default=None)


def _run_start(points: Sequence[StatePoint], states: frozenset[SubscriptionState]) -> datetime:
    """Return since when the subscription has been in one of these states; it is at the end."""
    start = points[-1]
    for point in reversed(points):
        if point.state not in states:
            break
        start = point
    return start.provider_time


def _times_of(known: Iterable[SubscriptionFact], kind: FactKind) -> list[datetime]:
    return [fact.provider_time for fact in known if fact.kind is kind and fact.moves_state]


def _period_end(
    details: SubscriptionFact | None, known: Iterable[SubscriptionFact]
) -> datetime | None:
    """A payment that came after the details has bought a period of which they do not tell."""
    ends = [
        fact.period_end_time or fact.provider_time + PROVISIONAL_PERIOD
        for fact in known
        if fact.kind is FactKind.PAYMENT
        if details is None or fact.provider_time > _details_time(details)
    ]
    if details and details.period_end_time:
        ends.append(details.period_end_time)
    return max(ends, default=None)


def good_until(subscription: Subscription, slack: timedelta) -> datetime | None:
    """Return until when the subscription gives good standing; None if it does not."""
    if subscription.state is SubscriptionState.PAST_DUE:
        return subscription.grace_end_time
    end = subscription.current_period_end_time
    if subscription.state not in GOOD_STATES or end is None:
        return None
    return end + slack


@dataclass(frozen=True, slots=True)
class SeenSubscription:
    """A subscription, and whether it gave good standing when it was looked at."""

    subscription: Subscription
    good_standing: bool


def see(subscription: Subscription, slack: timedelta, now: datetime) -> SeenSubscription:
    """Look at a subscription now."""
    until = good_until(subscription, slack)
    return SeenSubscription(subscription, until is not None and now < until)


def deciding_subscription(
    subscriptions: Sequence[Subscription], slack: timedelta, now: datetime
) -> Subscription | None:
    """Return the one that gives good standing for longest, or else the one that changed last."""

    def weight(subscription: Subscription) -> tuple[float, float, str, str]:
        until, since = good_until(subscription, slack), subscription.provider_time
        return (
            until.timestamp() if until and now < until else 0.0,
            since.timestamp() if since else 0.0,
            subscription.subscription_id,
            subscription.provider,
        )

    return max(subscriptions, key=weight, default=None)


@dataclass(frozen=True, slots=True)
class OrganizationStanding:
    """An organization's level now, and when time alone changes it next."""

    level: SubscriptionLevel
    reevaluate_time: datetime | None


def organization_standing(
    subscriptions: Sequence[Subscription],
    operator_grace_end: datetime | None,
    slack: timedelta,
    now: datetime,
    revision: int,
) -> OrganizationStanding:
    """Return how an organization stands: well, if a subscription or its operator lets it."""
    ends = [good_until(each, slack) for each in subscriptions]
    ahead = [end for end in (*ends, operator_grace_end) if end is not None and now < end]
    deciding = deciding_subscription(subscriptions, slack, now)
    level = SubscriptionLevel(
        revision=revision,
        state=deciding.state if deciding else SubscriptionState.PENDING,
        good_standing=bool(ahead),
        good_until=max(ahead, default=None),
    )
    return OrganizationStanding(level, min(ahead, default=None))
