"""How a subscription would stand if the provider were believed."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.billing_gateway.domain.facts import (
    FactKind,
    NothingNew,
    SubscriptionFact,
    SubscriptionTold,
    facts_of,
    merge_fact,
    with_merge,
)
from services.billing_gateway.domain.looking import is_usable
from services.billing_gateway.domain.observations import Observation
from services.billing_gateway.domain.standing import stand
from services.billing_gateway.domain.values import Subscription

# Kept nowhere: it is only told apart from what was heard before.
SOURCE = "compare"


def as_told(
    known: Subscription,
    facts: Sequence[SubscriptionFact],
    answer: Sequence[Observation],
    answer_time: datetime,
    grace: timedelta,
) -> Subscription | None:
    """Return the subscription as a sync would leave it; None if the answer tells no state."""
    told = [
        fact
        for word in answer
        if isinstance(word, SubscriptionTold) and word.subscription_id == known.subscription_id
        if is_usable(word, answer_time)
        for fact in facts_of(word, SOURCE)
    ]
    if not any(fact.kind is FactKind.STATE for fact in told):
        return None
    facts_now = list(facts)
    for fact in told:
        merge = merge_fact(facts_now, fact)
        if not isinstance(merge, NothingNew):
            facts_now = with_merge(facts_now, merge)
    return stand(known, facts_now, grace)


def differs(known: Subscription, told: Subscription) -> bool:
    """Tell whether a sync would change what the subscription gives."""
    ours = known.state, known.current_period_end_time
    return ours != (told.state, told.current_period_end_time)
