"""What a provider's event says, in words that know no provider."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from libs.levels import SubscriptionState


@dataclass(frozen=True, slots=True)
class SubscriptionObserved:
    """A subscription is in a state, as of the provider's time.

    Events of one second are ordered by their rank: what must come later ranks higher.
    """

    subscription_id: str
    customer_id: str
    claimed_organization_id: str
    plan_id: str
    state: SubscriptionState
    current_period_end_time: datetime | None
    provider_time: datetime
    rank: int

    @property
    def object_ids(self) -> tuple[str, ...]:
        """The provider's objects that it speaks of."""
        return self.subscription_id, self.customer_id

    def __str__(self) -> str:
        return f"subscription {self.subscription_id} is {self.state}"


@dataclass(frozen=True, slots=True)
class SubscriptionClaimed:
    """A subscription was made for an organization."""

    subscription_id: str
    customer_id: str
    claimed_organization_id: str

    @property
    def object_ids(self) -> tuple[str, ...]:
        """The provider's objects that it speaks of."""
        return self.subscription_id, self.customer_id

    def __str__(self) -> str:
        return f"subscription {self.subscription_id} is of {self.claimed_organization_id}"


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One line of an invoice: its plan, and the period that it renews, if it does."""

    plan_id: str
    renewed_period_start_time: datetime | None


@dataclass(frozen=True, slots=True)
class PaymentObserved:
    """A payment was made; for a subscription or, without one, as a top-up."""

    payment_id: str
    source_object_ids: tuple[str, ...]
    subscription_id: str
    customer_id: str
    claimed_organization_id: str
    lines: tuple[PlanLine, ...]
    currency_code: str
    paid_micros: int
    paid_time: datetime

    @property
    def object_ids(self) -> tuple[str, ...]:
        """The provider's objects that it speaks of."""
        return self.subscription_id, self.customer_id, self.payment_id, *self.source_object_ids

    def __str__(self) -> str:
        return f"payment {self.payment_id} paid {self.paid_micros} {self.currency_code} micros"


Observation: TypeAlias = SubscriptionObserved | SubscriptionClaimed | PaymentObserved


@dataclass(frozen=True, slots=True)
class Observed:
    """The event says something that concerns Tollgate."""

    observations: tuple[Observation, ...]


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing in the event concerns Tollgate."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The event cannot be handled: its shape, an amount, a currency, a time."""

    problem: str


Translation: TypeAlias = Observed | Ignored | Unreadable
