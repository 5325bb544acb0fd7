"""Subscriptions, payments, checkouts and events, and the levels that others are told."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from libs.levels import SubscriptionState


class Provider(StrEnum):
    """A payment provider."""

    PAYPAL = "PAYPAL"
    STRIPE = "STRIPE"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something of a provider's stands in a list, newest first."""

    # None: before all there is.
    time: datetime | None
    provider: str
    object_id: str


NEWEST = Place(None, "", "")
GOOD_STATES = frozenset({SubscriptionState.TRIALING, SubscriptionState.ACTIVE})


@dataclass(frozen=True, slots=True)
class Subscription:
    """One provider's subscription of an organization, as it follows from its facts.

    Its row is the link between the two. What a caller linked comes before what events told of the
    customer; what the provider tells of the plan comes before what a caller linked.
    """

    organization_id: str
    provider: Provider
    subscription_id: str
    linked_customer_id: str = ""
    linked_plan_id: str = ""
    learnt_customer_id: str = ""
    told_plan_id: str = ""
    state: SubscriptionState = SubscriptionState.PENDING
    provider_time: datetime | None = None
    current_period_end_time: datetime | None = None
    cancel_at_period_end: bool = False
    # When the run of failed payments began; the grace is counted from here.
    past_due_time: datetime | None = None
    grace_end_time: datetime | None = None
    # The gateway itself ends it then, where the provider cannot.
    cancel_due_time: datetime | None = field(default=None, compare=False)
    # Not part of what it says.
    look_error: str = field(default="", compare=False)
    # When it was last known how it stands; None: never yet.
    heard_time: datetime | None = field(default=None, compare=False)
    create_time: datetime | None = field(default=None, compare=False)
    update_time: datetime | None = field(default=None, compare=False)

    @property
    def customer_id(self) -> str:
        """Return the customer."""
        return self.linked_customer_id or self.learnt_customer_id

    @property
    def plan_id(self) -> str:
        """Return the plan."""
        return self.told_plan_id or self.linked_plan_id

    @property
    def ends_with_its_period(self) -> bool:
        """Tell whether somebody has asked that it be not renewed."""
        return self.cancel_at_period_end or self.cancel_due_time is not None


class ChangeCause(StrEnum):
    """Why a subscription or an organization's standing changed."""

    EVENT = "EVENT"
    LOOK = "LOOK"
    LINK = "LINK"
    CREATE = "CREATE"
    CANCEL = "CANCEL"
    REACTIVATE = "REACTIVATE"
    SYNC = "SYNC"
    GRACE = "GRACE"
    TIME = "TIME"


@dataclass(frozen=True, slots=True)
class SubscriptionChange:
    """One line of an organization's history."""

    organization_id: str
    cause: ChangeCause
    provider: Provider | None = None
    subscription_id: str = ""
    from_state: SubscriptionState | None = None
    to_state: SubscriptionState | None = None
    source_id: str = ""
    actor: str = ""
    note: str = ""
    good_standing: bool = False
    good_until: datetime | None = None
    change_id: int = 0
    change_time: datetime | None = None


class ComponentKind(StrEnum):
    """What may happen to a payment after it was made."""

    REFUND = "REFUND"
    DISPUTE = "DISPUTE"
    REVERSAL = "REVERSAL"
    WARNING = "WARNING"


class ComponentState(StrEnum):
    """Where a component stands."""

    PENDING = "PENDING"
    OPEN = "OPEN"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    WON = "WON"
    LOST = "LOST"
    ENDED = "ENDED"


@dataclass(frozen=True, slots=True)
class Component:
    """A refund, dispute, reversal or warning, by its provider's id; as told, or as joined."""

    component_id: str
    kind: ComponentKind
    state: ComponentState
    amount_micros: int
    currency_code: str
    provider_time: datetime | None
    rank: int
    # How often money was taken out and put back for a dispute, as far as anything told.
    withdrawal_count: int = 0
    reinstatement_count: int = 0
    blocks_spending: bool = False
    # A dispute that ended against us must be followed by its money until then.
    money_due_time: datetime | None = None
    event_id: str = ""


class PaymentProgress(StrEnum):
    """How far a payment has come that is not made."""

    PENDING = "PENDING"
    FAILED = "FAILED"


class PaymentState(StrEnum):
    """Where a payment stands."""

    PENDING = "PENDING"
    PARKED = "PARKED"
    PAID = "PAID"
    PARTIALLY_REVERSED = "PARTIALLY_REVERSED"
    REVERSED = "REVERSED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class ProgressTold:
    """What was told last of a payment that is not made."""

    progress: PaymentProgress
    provider_time: datetime
    rank: int


@dataclass(frozen=True, slots=True)
class PaymentObject:
    """An object of a provider that belongs to a flow of money; the lowest rank names the flow."""

    object_id: str
    name_rank: int


@dataclass(frozen=True, slots=True)
class PaymentStanding:
    """What of a payment's credit is gone, may go, and whether nothing may be spent meanwhile."""

    reversed_micros: int = 0
    at_risk_micros: int = 0
    blocks_spending: bool = False


@dataclass(frozen=True, slots=True)
class Payment:
    """One flow of money. What it credits is decided once; how it stands follows from its parts."""

    provider: Provider
    payment_id: str
    organization_id: str | None = None
    subscription_id: str = ""
    customer_id: str = ""
    plan_id: str = ""
    currency_code: str = ""
    paid_micros: int | None = None
    paid_time: datetime | None = None
    credited_micros: int | None = None
    allowance_period_start_time: datetime | None = None
    progress: ProgressTold | None = None
    # For good, as PayPal's DENIED: what was credited before is reversed in full.
    has_failed: bool = False
    # The provider's running total, where it tells one, and when that was so.
    refunded_in_all_micros: int = 0
    refunded_in_all_time: datetime | None = None
    standing: PaymentStanding = PaymentStanding()
    state: PaymentState = PaymentState.PENDING
    problem: str = ""
    revision: int = 0
    event_ids: tuple[str, ...] = ()
    create_time: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class PaymentLevel:
    """What the wallet is told of a payment."""

    revision: int
    currency_code: str
    credited_micros: int
    reversed_micros: int
    at_risk_micros: int
    blocks_spending: bool
    description: str


class CheckoutKind(StrEnum):
    """What a customer is sent to a provider for."""

    TOP_UP = "TOP_UP"
    SUBSCRIPTION = "SUBSCRIPTION"


class CheckoutState(StrEnum):
    """Where a checkout stands."""

    WANTED = "WANTED"
    OPEN = "OPEN"
    APPROVED = "APPROVED"
    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class CheckoutContent:
    """What a caller asks for; the same reference has the same content for ever."""

    kind: CheckoutKind
    provider: Provider
    amount_micros: int | None
    currency_code: str
    plan_id: str
    return_url: str
    cancel_url: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """A caller's wish, written before the provider is asked, and what came of it."""

    organization_id: str
    reference_id: str
    intent_id: str
    content: CheckoutContent
    state: CheckoutState = CheckoutState.WANTED
    checkout_id: str = ""
    url: str = ""
    payment_object_id: str = ""
    subscription_id: str = ""
    capture_number: int = 1
    last_error: str = ""
    create_time: datetime | None = field(default=None, compare=False)


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
    object_ids: tuple[str, ...] = ()
    next_attempt_time: datetime | None = None
    body_kept: bool = True


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which webhook events; what is unset does not restrict."""

    provider: Provider | None = None
    state: EventState | None = None
    event_type: str = ""
    organization_id: str = ""
    object_id: str = ""
    received_after: datetime | None = None
    received_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class PaymentFilter:
    """Which payments; what is unset does not restrict."""

    organization_id: str = ""
    provider: Provider | None = None
    object_id: str = ""
    state: PaymentState | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionFilter:
    """Which subscriptions; what is unset does not restrict."""

    organization_id: str = ""
    provider: Provider | None = None
    state: SubscriptionState | None = None
    good_standing: bool | None = None


@dataclass(frozen=True, slots=True)
class ChangeFilter:
    """Which changes; what is unset does not restrict."""

    organization_id: str = ""
    start_time: datetime | None = None
    end_time: datetime | None = None
