"""How an organization stands by its subscriptions; any order of the same events ends the same."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from libs.levels import SubscriptionLevel, SubscriptionState
from services.billing_gateway.domain.observations import SubscriptionObserved
from services.billing_gateway.domain.values import GOOD_STATES, Subscription

# Of two contradicting events of one second the more restrictive is believed.
RESTRICTIVENESS = {
    SubscriptionState.ACTIVE: 0,
    SubscriptionState.TRIALING: 1,
    SubscriptionState.PENDING: 2,
    SubscriptionState.PAST_DUE: 3,
    SubscriptionState.SUSPENDED: 4,
    SubscriptionState.CANCELED: 5,
}


@dataclass(frozen=True, slots=True)
class Heard:
    """A subscription, and which of its events stands."""

    subscription: Subscription
    rank: int = 0
    event_id: str = ""


def observe(known: Heard, observed: SubscriptionObserved, event_id: str) -> Heard:
    """Return the subscription after one more event of it.

    The greatest update in one total order stands, so neither order nor repetition matters. A
    canceled subscription stays canceled.
    """
    learnt = known.subscription.learnt_customer_id or observed.customer_id
    subscription = replace(known.subscription, learnt_customer_id=learnt)
    told = Heard(
        subscription=replace(
            subscription,
            state=observed.state,
            told_plan_id=observed.plan_id,
            current_period_end_time=observed.current_period_end_time,
            cancel_at_period_end=observed.cancel_at_period_end,
            provider_time=observed.provider_time,
        ),
        rank=observed.rank,
        event_id=event_id,
    )
    return told if _order(told) > _order(known) else replace(known, subscription=subscription)


def _order(heard: Heard) -> tuple[bool, float, int, int, float, str]:
    subscription = heard.subscription
    time, end = subscription.provider_time, subscription.current_period_end_time
    return (
        subscription.state is SubscriptionState.CANCELED,
        time.timestamp() if time else -math.inf,
        heard.rank,
        RESTRICTIVENESS[subscription.state],
        end.timestamp() if end else 0.0,
        heard.event_id,
    )


def good_until(subscription: Subscription, slack: timedelta) -> datetime | None:
    """Return until when the subscription gives good standing; None if it does not."""
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
    subscriptions: Sequence[Subscription], slack: timedelta
) -> Subscription | None:
    """Return the one that gives good standing for longest, or else the one heard of last."""
    return max(subscriptions, key=lambda each: _weight(each, slack), default=None)


def _weight(subscription: Subscription, slack: timedelta) -> tuple[bool, float, float, str]:
    until, told = good_until(subscription, slack), subscription.provider_time
    return (
        until is not None,
        until.timestamp() if until else 0.0,
        told.timestamp() if told else 0.0,
        subscription.subscription_id,
    )


def organization_level(
    subscriptions: Sequence[Subscription], slack: timedelta, revision: int
) -> SubscriptionLevel:
    """Return the organization's level: in good standing if any of its subscriptions is."""
    deciding = deciding_subscription(subscriptions, slack)
    until = good_until(deciding, slack) if deciding else None
    return SubscriptionLevel(
        revision=revision,
        state=deciding.state if deciding else SubscriptionState.PENDING,
        good_standing=until is not None,
        good_until=until,
    )
