"""What a wallet's money is, and what a command does to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from tollgate.billing_gateway.v1.subscription_observer_service_pb2 import ReportSubscriptionRequest
from tollgate.wallet.v1.hold_pb2 import HOLD_STATE_OPEN, HoldState
from tollgate.wallet.v1.wallet_service_holds_pb2 import (
    CaptureHoldRequest,
    PlaceHoldRequest,
    ReleaseHoldRequest,
)
from tollgate.wallet.v1.wallet_service_pb2 import (
    AdjustBalanceRequest,
    ApplyPaymentRequest,
    CreditRequest,
    DebitRequest,
    FreezeWalletRequest,
    UnfreezeWalletRequest,
    UpdateWalletRequest,
)

MICROS_MAX = 2**63 - 1


@dataclass(frozen=True)
class ExpireHolds:
    """Time does it; nobody asks."""

    hold_reference_ids: tuple[str, ...]


Referenced: TypeAlias = (
    DebitRequest | CreditRequest | AdjustBalanceRequest | PlaceHoldRequest | CaptureHoldRequest
)
Command: TypeAlias = (
    Referenced
    | ReleaseHoldRequest
    | ExpireHolds
    | ApplyPaymentRequest
    | FreezeWalletRequest
    | UnfreezeWalletRequest
    | ReportSubscriptionRequest
    | UpdateWalletRequest
)
FreezeKey: TypeAlias = tuple[int, str]


class Refused(Exception):  # noqa: N818 - an answer, no error
    """The command is refused, and nothing is done."""

    def __init__(self, reason: str, **metadata: object) -> None:
        super().__init__(reason, metadata)
        self.reason = reason
        self.metadata = {name: str(value) for name, value in metadata.items()}


@dataclass(frozen=True, slots=True)
class Standing:
    """What a wallet and its entries tell of the money."""

    balance_micros: int = 0
    held_micros: int = 0
    owed_micros: int = 0

    @property
    def available_micros(self) -> int:
        """What may be spent: nothing while anything is owed."""
        return 0 if self.owed_micros else self.balance_micros - self.held_micros


@dataclass(frozen=True, slots=True)
class Money:
    """What a wallet's money is: three numbers, from which all that is told of it follows."""

    # What came in less what went out.
    position_micros: int = 0
    # What open holds still hold.
    on_hold_micros: int = 0
    # What payments have at risk, be it there or not.
    at_risk_micros: int = 0

    @property
    def standing(self) -> Standing:
        """Holds are kept whole, what they lack is owed; at risk is kept of what is free."""
        balance = max(self.position_micros, self.on_hold_micros)
        owed = max(0, self.on_hold_micros - self.position_micros)
        kept = min(self.at_risk_micros, balance - self.on_hold_micros)
        return Standing(balance, self.on_hold_micros + kept, owed)

    def moved(self, position: int = 0, on_hold: int = 0, at_risk: int = 0) -> "Money":
        """Return the money with each number changed by so much."""
        return Money(
            self.position_micros + position,
            self.on_hold_micros + on_hold,
            self.at_risk_micros + at_risk,
        )


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold; its id is the reference that placed it."""

    placed: PlaceHoldRequest
    expire_time: datetime
    remaining_micros: int
    captured_micros: int = 0
    state: HoldState.ValueType = HOLD_STATE_OPEN


@dataclass(frozen=True)
class Change:
    """What an accepted command does; what is None stays as it is."""

    money: Money
    # What its entries add up to, by type. Entries that bring debt and what is kept in line again
    # are not among them: they follow from the money.
    amounts: Mapping[str, int] = field(default_factory=dict)
    holds: tuple[Hold, ...] = ()
    payment: ApplyPaymentRequest | None = None
    freezes: frozenset[FreezeKey] | None = None
    subscription_revision: int | None = None
    # depleted_below_micros and resume_above_micros.
    limits: tuple[int, int] | None = None
