"""What can be asked of a wallet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from libs.levels import SubscriptionLevel
from services.wallet.domain.values import EntryType, FreezeReason


@dataclass(frozen=True, slots=True)
class OpenWallet:
    """Open the wallet in a currency."""

    currency_code: str


@dataclass(frozen=True, slots=True)
class Debit:
    """Spend."""

    amount_micros: int
    currency_code: str
    reference_id: str
    description: str
    metadata: Mapping[str, str]

    @property
    def entry_type(self) -> EntryType:
        """The entry that it writes."""
        return EntryType.DEBIT

    @property
    def change_micros(self) -> int:
        """The change of the balance."""
        return -self.amount_micros


@dataclass(frozen=True, slots=True)
class Credit:
    """Add money."""

    amount_micros: int
    currency_code: str
    reference_id: str
    entry_type: EntryType
    description: str
    metadata: Mapping[str, str]

    @property
    def change_micros(self) -> int:
        """The change of the balance."""
        return self.amount_micros


@dataclass(frozen=True, slots=True)
class ApplyPayment:
    """Take a payment's level. It opens a wallet only in the default currency."""

    payment_id: str
    revision: int
    currency_code: str
    credited_micros: int
    description: str
    metadata: Mapping[str, str]
    default_currency_code: str


@dataclass(frozen=True, slots=True)
class SetFreeze:
    """Set one freeze."""

    reason: FreezeReason
    reference_id: str
    note: str
    actor: str


@dataclass(frozen=True, slots=True)
class LiftFreeze:
    """Lift one freeze."""

    reason: FreezeReason
    reference_id: str
    note: str
    actor: str


@dataclass(frozen=True, slots=True)
class ObserveSubscription:
    """Take a subscription's level."""

    level: SubscriptionLevel


@dataclass(frozen=True, slots=True)
class Reevaluate:
    """Let time do what it does: a level whose good news expired freezes."""


Posting: TypeAlias = Debit | Credit
Command: TypeAlias = (
    OpenWallet | Posting | ApplyPayment | SetFreeze | LiftFreeze | ObserveSubscription | Reevaluate
)

# These may come before the organization is known; the others need a wallet.
FIRST_COMMANDS = (OpenWallet, ApplyPayment, ObserveSubscription)
