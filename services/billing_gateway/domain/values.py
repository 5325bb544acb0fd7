"""Subscriptions and payments, and the levels that others are told."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from libs.levels import SubscriptionState


class Provider(StrEnum):
    """A payment provider."""

    PAYPAL = "PAYPAL"
    STRIPE = "STRIPE"


GOOD_STATES = frozenset({SubscriptionState.TRIALING, SubscriptionState.ACTIVE})


@dataclass(frozen=True, slots=True)
class ProviderUpdate:
    """What a provider said last of a subscription, and what orders it among all that was said."""

    state: SubscriptionState
    plan_id: str
    current_period_end_time: datetime | None
    provider_time: datetime
    rank: int
    event_id: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """One provider's subscription of an organization. Its row is the link between the two."""

    organization_id: str
    provider: Provider
    subscription_id: str
    linked_customer_id: str = ""
    linked_plan_id: str = ""
    learnt_customer_id: str = ""
    update: ProviderUpdate | None = None
    # When the row was last written; not part of what it says.
    update_time: datetime | None = field(default=None, compare=False)

    @property
    def customer_id(self) -> str:
        """What a caller linked comes before what events told."""
        return self.linked_customer_id or self.learnt_customer_id

    @property
    def state(self) -> SubscriptionState:
        """PENDING until the provider has told."""
        return self.update.state if self.update else SubscriptionState.PENDING

    @property
    def plan_id(self) -> str:
        """What the provider tells comes before what a caller said."""
        told = self.update.plan_id if self.update else ""
        return told or self.linked_plan_id

    @property
    def current_period_end_time(self) -> datetime | None:
        """The end of what is paid, where it is known."""
        return self.update.current_period_end_time if self.update else None


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that an organization paid; what is credited for it is decided once."""

    organization_id: str
    provider: Provider
    payment_id: str
    subscription_id: str
    plan_id: str
    currency_code: str
    paid_micros: int
    credited_micros: int
    allowance_period_start_time: datetime | None
    paid_time: datetime
    revision: int
    event_ids: tuple[str, ...]
    create_time: datetime


@dataclass(frozen=True, slots=True)
class PaymentLevel:
    """What the wallet is told of a payment."""

    revision: int
    currency_code: str
    credited_micros: int
    description: str


class EventState(StrEnum):
    """Where the handling of a webhook event stands."""

    RECEIVED = "RECEIVED"
    DONE = "DONE"
    IGNORED = "IGNORED"
    PARKED = "PARKED"
    DEAD = "DEAD"


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """One event that a provider delivered, and what came of it."""

    provider: Provider
    event_id: str
    event_type: str
    state: EventState
    organization_id: str
    attempt_count: int
    last_error: str
    observations: tuple[str, ...]
    receive_time: datetime


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which webhook events; what is unset does not restrict."""

    provider: Provider | None
    state: EventState | None
    event_type: str
    organization_id: str
    object_id: str
    received_after: datetime | None
    received_before: datetime | None
