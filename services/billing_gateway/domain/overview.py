"""How events and subscriptions stand as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from libs.levels import SubscriptionState
from services.billing_gateway.domain.values import EventState, Provider

# What settles by itself, or is settled already, is not waited for by anybody.
UNSETTLED_STATES = (EventState.RECEIVED, EventState.PARKED, EventState.DEAD)


@dataclass(frozen=True, slots=True)
class EventCount:
    """How many events of a provider are in a state in which they should not stay."""

    count: int = 0
    oldest_receive_time: datetime | None = None
    oldest_event_id: str = ""


@dataclass(frozen=True, slots=True)
class EventCounts:
    """How one provider's events stand: by state, those that are not settled."""

    unsettled: Mapping[EventState, EventCount]
    last_receive_time: datetime | None


@dataclass(frozen=True, slots=True)
class GatewayCounts:
    """How much stands so, at one moment."""

    time: datetime
    events: Mapping[Provider, EventCounts]
    # Of some nothing has been heard yet.
    subscriptions: Mapping[SubscriptionState | None, int]
