"""What can be asked of a wallet. Named tuples: one is made for every debit."""

from datetime import timedelta
from typing import NamedTuple, TypeAlias, assert_never

from libs.levels import SubscriptionLevel
from services.wallet.domain.values import EntryType, FreezeReason, Metadata


class OpenWallet(NamedTuple):
    """Open the wallet in a currency."""

    currency_code: str


class SetThresholds(NamedTuple):
    """Say when the wallet counts as depleted; what is None stays."""

    depleted_below_micros: int | None
    resume_above_micros: int | None
    note: str = ""
    actor: str = ""


class Debit(NamedTuple):
    """Spend."""

    amount_micros: int
    currency_code: str
    reference_id: str
    description: str
    metadata: Metadata


class Credit(NamedTuple):
    """Add money."""

    amount_micros: int
    currency_code: str
    reference_id: str
    entry_type: EntryType
    description: str
    metadata: Metadata


class AdjustBalance(NamedTuple):
    """Correct the balance by hand."""

    delta_micros: int
    currency_code: str
    reference_id: str
    justification: str
    actor: str


class ApplyPayment(NamedTuple):
    """Take a payment's level. It opens a wallet only in the default currency."""

    payment_id: str
    revision: int
    currency_code: str
    credited_micros: int
    reversed_micros: int
    at_risk_micros: int
    blocks_spending: bool
    description: str
    metadata: Metadata
    default_currency_code: str


class PlaceHold(NamedTuple):
    """Set money aside for a while."""

    amount_micros: int
    currency_code: str
    reference_id: str
    ttl: timedelta
    description: str
    metadata: Metadata


class CaptureHold(NamedTuple):
    """Spend what was set aside; late, as long as the window after the hold's expiry lasts."""

    hold_reference_id: str
    amount_micros: int
    reference_id: str
    final: bool
    allow_excess: bool
    late_window: timedelta


class ReleaseHold(NamedTuple):
    """Free what was set aside."""

    hold_reference_id: str


class SetFreeze(NamedTuple):
    """Set one freeze."""

    reason: FreezeReason
    reference_id: str
    note: str
    actor: str


class LiftFreeze(NamedTuple):
    """Lift one freeze. `verified`: the wallet's ledger was verified and found clean."""

    reason: FreezeReason
    reference_id: str
    note: str
    actor: str
    verified: bool = False


class ObserveSubscription(NamedTuple):
    """Take a subscription's level."""

    level: SubscriptionLevel


class Reevaluate(NamedTuple):
    """Let time do what it does: expire holds, and freeze when good news has expired."""


# They carry a reference, which has one effect for ever.
Referenced: TypeAlias = Debit | Credit | AdjustBalance | PlaceHold | CaptureHold
Command: TypeAlias = (
    Referenced
    | OpenWallet
    | SetThresholds
    | ApplyPayment
    | ReleaseHold
    | SetFreeze
    | LiftFreeze
    | ObserveSubscription
    | Reevaluate
)

# These may come before the organization is known; the others need a wallet.
FIRST_COMMANDS = (OpenWallet, ApplyPayment, ObserveSubscription)


class Needs(NamedTuple):
    """What a command looks at besides its wallet, by its ids; empty where it looks at none."""

    reference_id: str = ""
    hold_reference_id: str = ""
    payment_id: str = ""


NO_NEEDS = Needs()


def needs_of(command: Command) -> Needs:
    """Return what a command looks at."""
    match command:
        case Debit() | Credit() | AdjustBalance():
            return Needs(command.reference_id)
        case PlaceHold():
            return Needs(command.reference_id, command.reference_id)
        case CaptureHold():
            return Needs(command.reference_id, command.hold_reference_id)
        case ReleaseHold():
            return Needs(hold_reference_id=command.hold_reference_id)
        case ApplyPayment():
            return Needs(payment_id=command.payment_id)
        case OpenWallet() | SetThresholds() | SetFreeze() | LiftFreeze():
            return NO_NEEDS
        case ObserveSubscription() | Reevaluate():
            return NO_NEEDS
        case _:
            assert_never(command)
