"""What the recorder is made of: one part each for subscriptions, payments and checkouts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from libs.announcing.ports import LevelKey
from libs.database import Connection
from services.billing_gateway.domain.observations import (
    CheckoutObserved,
    ComponentObserved,
    Observation,
    PaymentLinked,
    PaymentPaid,
    PaymentProgressed,
    RefundedInAll,
    SubscriptionClaimed,
)
from services.billing_gateway.domain.ownership import Unowned
from services.billing_gateway.domain.values import SubscriptionChange
from services.billing_gateway.operations.recording_port import Source
from services.billing_gateway.storage.organizations import LockedOrganization

PaymentTold: TypeAlias = (
    PaymentPaid | PaymentProgressed | PaymentLinked | ComponentObserved | RefundedInAll
)
CheckoutTold: TypeAlias = CheckoutObserved | PaymentPaid | SubscriptionClaimed
Organizations: TypeAlias = Mapping[str, LockedOrganization]


@dataclass(frozen=True, slots=True)
class Told:
    """An observation and whose it is; the owner's row is locked."""

    observation: Observation
    owner: str | Unowned


@dataclass(frozen=True, slots=True)
class PartRecorded:
    """What one part made of what it was told."""

    # What waits for a person, or for what is told later.
    problems: tuple[str, ...] = ()
    # To be completed with how the organization stands then.
    changes: tuple[SubscriptionChange, ...] = ()
    # Marked by the part itself.
    payment_levels: tuple[LevelKey, ...] = ()
    looks_due: bool = False
    errands_due: bool = False
    # Objects of which something is known now that parked events may wait for.
    news_of: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Wakes:
    """How the loops are told that something is due for them."""

    settling: Callable[[], None]
    looks: Callable[[], None]
    errands: Callable[[], None]


class Flows(Protocol):
    """The flows of money that some observations speak of, their rows locked."""

    def owner_of(self, observation: PaymentTold, found: str | Unowned) -> str | Unowned:
        """Return whose it is, given whose it is by all but the rows. Raises DomainError."""
        ...

    async def record(
        self,
        connection: Connection,
        source: Source,
        told: Sequence[Told],
        organizations: Organizations,
    ) -> PartRecorded:
        """Record what was told, mark the levels that it changed; the owners are locked."""
        ...


class PaymentRecording(Protocol):
    """Records payments and what becomes of them."""

    async def lock(
        self,
        connection: Connection,
        source: Source,
        observations: Sequence[PaymentTold],
        *,
        wait: bool,
    ) -> Flows:
        """Lock the rows there are, after the objects and before the organizations.

        Raises ObjectsBusyError instead of waiting for them.
        """
        ...


class CheckoutRecording(Protocol):
    """Records how checkouts that Tollgate made go on; others' are passed over."""

    async def record(
        self,
        connection: Connection,
        source: Source,
        told: Sequence[Told],
        organizations: Organizations,
    ) -> PartRecorded:
        """Record what was told. A checkout's own word has no owner but by our row or a proof."""
        ...
