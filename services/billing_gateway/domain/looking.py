"""When the provider is asked: on doubt, every now and then, and to end what is to end."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from libs.levels import SubscriptionState
from services.billing_gateway.domain.facts import (
    FactKind,
    SubscriptionFact,
    SubscriptionTold,
    content_of,
    state_points,
)
from services.billing_gateway.domain.observations import SubscriptionObserved
from services.billing_gateway.domain.values import GOOD_STATES, Subscription

# A time further ahead than clocks may differ would outlive everything told after it.
FUTURE_MAX = timedelta(minutes=5)
# So that the answer's second lies behind that of the event which raised the doubt.
LOOK_DELAY = timedelta(seconds=2)
# A renewal is told by no event at PayPal, and about an hour late at Stripe.
PERIOD_END_DELAY = timedelta(minutes=15)
# PayPal tells of a subscription that was just activated that its period ends now.
SHORT_PERIOD = timedelta(days=1)
# So much before the paid period ends it is ended where the provider cannot wait by itself: after
# the end the next period would be paid.
CANCEL_AHEAD = timedelta(hours=1)
CANCEL_AGAIN_MIN = timedelta(minutes=1)
CANCEL_AGAIN_MAX = timedelta(hours=6)


def is_usable(observation: SubscriptionTold, receive_time: datetime) -> bool:
    """Tell whether an observation has times that may be kept; if not, only asking helps."""
    times = [observation.provider_time]
    if isinstance(observation, SubscriptionObserved) and observation.details_time:
        times.append(observation.details_time)
    return all(time is not None and time <= receive_time + FUTURE_MAX for time in times)


def raises_doubt(known: Sequence[SubscriptionFact], told: SubscriptionFact) -> bool:
    """Tell whether a new fact contradicts what is known, or leaves open what it means."""
    match told.kind:
        case FactKind.STATE:
            is_late = any(
                point.state != told.state and point.provider_time > told.provider_time
                for point in state_points(known)
            )
            return is_late or splits_an_instant(known, told) or _leaves_its_period_open(told)
        case FactKind.FAILURE:
            return not told.moves_state and _last_state(known) in GOOD_STATES
        case FactKind.PAYMENT if told.moves_state:
            return told.period_end_time is None
        case FactKind.PAYMENT:
            return _last_state(known) not in GOOD_STATES


def splits_an_instant(known: Sequence[SubscriptionFact], told: SubscriptionFact) -> bool:
    """Tell whether two words of the same weight contradict each other.

    That of all doubts an answer may raise as well: the next one has another second.
    """
    when = (told.provider_time, told.rank)
    is_state_split = any(
        told.state not in (None, point.state) and (point.provider_time, point.rank) == when
        for point in state_points(known)
    )
    return is_state_split or any(
        told.kind is fact.kind is FactKind.STATE
        and (told.details_time, told.rank) == (fact.details_time, fact.rank)
        and content_of(told) != content_of(fact)
        for fact in known
    )


def _leaves_its_period_open(told: SubscriptionFact) -> bool:
    if told.state not in GOOD_STATES:
        return False
    end = told.period_end_time
    return end is None or end < (told.details_time or told.provider_time) + SHORT_PERIOD


def _last_state(known: Sequence[SubscriptionFact]) -> SubscriptionState | None:
    points = state_points(known)
    return points[-1].state if points else None


def next_look(
    subscription: Subscription, now: datetime, interval: timedelta, jitter: float
) -> datetime | None:
    """Return when a subscription that nothing is in doubt of is asked about next."""
    if subscription.state is SubscriptionState.CANCELED:
        return None
    due_times = [now + interval * jitter]
    end = subscription.current_period_end_time
    if end is not None and end + PERIOD_END_DELAY > now:
        due_times.append(end + PERIOD_END_DELAY)
    return min(due_times)


def next_cancel(subscription: Subscription, now: datetime) -> datetime:
    """Return when to end again what the provider would not end.

    That is before the next paid period ends, if it has come to that, or else after as long as it
    has been due.
    """
    end = subscription.current_period_end_time
    overdue = now - (end - CANCEL_AHEAD) if end else CANCEL_AGAIN_MAX
    if overdue < timedelta(0):
        return now - overdue
    return now + min(max(overdue, CANCEL_AGAIN_MIN), CANCEL_AGAIN_MAX)
