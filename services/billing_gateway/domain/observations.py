"""What a provider tells, by an event or when asked, in words that know no provider."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from libs.levels import SubscriptionState
from services.billing_gateway.domain.values import (
    CheckoutState,
    Component,
    PaymentObject,
    PaymentProgress,
)

# Of one instant, everything comes after a creation, and an event after what the provider answered
# when it was asked; further ranks are the providers' own.
CREATED_RANK = -2
LOOK_RANK = -1


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose an object says that it is; with a proof if Tollgate itself wrote so."""

    organization_id: str
    intent_id: str = ""
    proof: str = ""


@dataclass(frozen=True, slots=True)
class SubscriptionObserved:
    """A subscription is in a state since provider_time, with these details as of details_time.

    None: no usable time was told, so that only asking the provider helps. Of one time the higher
    rank comes later. confirmed: the provider was asked at details_time.
    """

    subscription_id: str
    customer_id: str
    claim: Claim | None
    plan_id: str
    state: SubscriptionState
    current_period_end_time: datetime | None
    cancel_at_period_end: bool
    provider_time: datetime | None
    details_time: datetime | None
    rank: int
    confirmed: bool = False
    # The event says that something changed which it may not tell (PayPal's UPDATED).
    wants_look: bool = False

    @property
    def object_ids(self) -> tuple[str, ...]:
        """The provider's objects that it speaks of."""
        return self.subscription_id, self.customer_id

    def __str__(self) -> str:
        return f"subscription {self.subscription_id} is {self.state}"


@dataclass(frozen=True, slots=True)
class SubscriptionPaymentFailed:
    """An attempt to collect a subscription's payment failed; moves_state: that is PAST_DUE."""

    subscription_id: str
    customer_id: str
    provider_time: datetime | None
    moves_state: bool

    @property
    def object_ids(self) -> tuple[str, ...]:
        """The provider's objects that it speaks of."""
        return self.subscription_id, self.customer_id

    def __str__(self) -> str:
        return f"subscription {self.subscription_id} failed to pay"


@dataclass(frozen=True, slots=True)
class SubscriptionPaid:
    """A subscription was paid; moves_state: that ends PAST_DUE."""

    subscription_id: str
    customer_id: str
    claim: Claim | None
    provider_time: datetime | None
    period_end_time: datetime | None
    moves_state: bool

    @property
    def object_ids(self) -> tuple[str, ...]:
        """The provider's objects that it speaks of."""
        return self.subscription_id, self.customer_id

    def __str__(self) -> str:
        return f"subscription {self.subscription_id} paid"


@dataclass(frozen=True, slots=True)
class SubscriptionClaimed:
    """A checkout made a subscription."""

    subscription_id: str
    customer_id: str
    checkout_id: str
    claim: Claim | None

    @property
    def object_ids(self) -> tuple[str, ...]:
        """The provider's objects that it speaks of."""
        return self.subscription_id, self.customer_id, self.checkout_id

    def __str__(self) -> str:
        return f"subscription {self.subscription_id} comes from checkout {self.checkout_id}"


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One line of an invoice: its plan, and the period that it renews, if it does."""

    plan_id: str
    renewed_period_start_time: datetime | None


@dataclass(frozen=True, slots=True)
class PaymentPaid:
    """A payment was made, for a subscription or as a top-up; the one credit source of its flow.

    The first of its objects has name_rank 0. Where no line names a plan, the subscription's plan at
    that time decides.
    """

    objects: tuple[PaymentObject, ...]
    subscription_id: str
    customer_id: str
    checkout_id: str
    claim: Claim | None
    lines: tuple[PlanLine, ...]
    currency_code: str
    paid_micros: int
    paid_time: datetime

    @property
    def object_ids(self) -> tuple[str, ...]:
        """The provider's objects that it speaks of."""
        named = (self.subscription_id, self.customer_id, self.checkout_id)
        return (*(each.object_id for each in self.objects), *named)

    def __str__(self) -> str:
        name = self.objects[0].object_id
        return f"payment {name} paid {self.paid_micros} {self.currency_code} micros"


@dataclass(frozen=True, slots=True)
class PaymentProgressed:
    """A payment that is not made is under way, or has failed; for_good: and never comes back."""

    objects: tuple[PaymentObject, ...]
    subscription_id: str
    customer_id: str
    claim: Claim | None
    progress: PaymentProgress
    provider_time: datetime
    rank: int
    for_good: bool = False

    @property
    def object_ids(self) -> tuple[str, ...]:
        """The provider's objects that it speaks of."""
        return (
            *(each.object_id for each in self.objects),
            self.subscription_id,
            self.customer_id,
        )

    def __str__(self) -> str:
        return f"payment {self.objects[0].object_id} is {self.progress}"


@dataclass(frozen=True, slots=True)
class PaymentLinked:
    """These objects are one flow of money."""

    objects: tuple[PaymentObject, ...]

    @property
    def object_ids(self) -> tuple[str, ...]:
        """The provider's objects that it speaks of."""
        return tuple(each.object_id for each in self.objects)

    def __str__(self) -> str:
        return f"one payment: {', '.join(self.object_ids)}"


@dataclass(frozen=True, slots=True)
class ComponentObserved:
    """A refund, dispute, reversal or warning of a payment stands so."""

    objects: tuple[PaymentObject, ...]
    component: Component

    @property
    def object_ids(self) -> tuple[str, ...]:
        """The provider's objects that it speaks of."""
        return (*(each.object_id for each in self.objects), self.component.component_id)

    def __str__(self) -> str:
        part = self.component
        return (
            f"{part.kind.lower()} {part.component_id} is {part.state}, "
            f"{part.amount_micros} {part.currency_code} micros"
        )


@dataclass(frozen=True, slots=True)
class RefundedInAll:
    """So much of a payment was refunded at that time, by the provider's running total."""

    objects: tuple[PaymentObject, ...]
    amount_micros: int
    currency_code: str
    provider_time: datetime

    @property
    def object_ids(self) -> tuple[str, ...]:
        """The provider's objects that it speaks of."""
        return tuple(each.object_id for each in self.objects)

    def __str__(self) -> str:
        return (
            f"payment {self.objects[0].object_id} is refunded {self.amount_micros} "
            f"{self.currency_code} micros in all"
        )


@dataclass(frozen=True, slots=True)
class CheckoutObserved:
    """A checkout stands so; of interest only if it is ours."""

    checkout_id: str
    state: CheckoutState
    claim: Claim | None
    # What restores ours from a claim with a proof, where a backup has lost the row.
    amount_micros: int | None = None
    currency_code: str = ""

    @property
    def object_ids(self) -> tuple[str, ...]:
        """The provider's objects that it speaks of."""
        return (self.checkout_id,)

    def __str__(self) -> str:
        return f"checkout {self.checkout_id} is {self.state}"


Observation: TypeAlias = (
    SubscriptionObserved
    | SubscriptionPaymentFailed
    | SubscriptionPaid
    | SubscriptionClaimed
    | PaymentPaid
    | PaymentProgressed
    | PaymentLinked
    | ComponentObserved
    | RefundedInAll
    | CheckoutObserved
)


@dataclass(frozen=True, slots=True)
class Observed:
    """The event says something that concerns Tollgate."""

    observations: tuple[Observation, ...]


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing in the event concerns Tollgate."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The event cannot be handled: its shape, an amount, a currency, its mode."""

    problem: str


Translation: TypeAlias = Observed | Ignored | Unreadable
