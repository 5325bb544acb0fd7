"""What can be asked of an organization."""

from dataclasses import dataclass
from typing import TypeAlias

from libs.levels import SubscriptionLevel, WalletLevel


@dataclass(frozen=True, slots=True)
class ObserveSubscription:
    """Take a subscription's level."""

    level: SubscriptionLevel


@dataclass(frozen=True, slots=True)
class ObserveWallet:
    """Take a wallet's level."""

    level: WalletLevel


@dataclass(frozen=True, slots=True)
class SetOperatorBlock:
    """Block the organization until the block is lifted."""

    note: str
    actor: str


@dataclass(frozen=True, slots=True)
class LiftOperatorBlock:
    """Lift the operator's block; what else blocks stays."""

    note: str
    actor: str


@dataclass(frozen=True, slots=True)
class Reevaluate:
    """Let time do what it does: good news expires."""


Command: TypeAlias = (
    ObserveSubscription | ObserveWallet | SetOperatorBlock | LiftOperatorBlock | Reevaluate
)
