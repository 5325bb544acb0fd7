"""What a wallet is: its row, its entries, freezes and holds, and the payments applied to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from libs.levels import SubscriptionLevel, WalletLevel
from services.wallet.domain.funds import Funds

GATEWAY_ACTOR = "billing_gateway"

# None where there is none, so that an entry without it costs nothing.
Metadata: TypeAlias = Mapping[str, str] | None


class FreezeReason(StrEnum):
    """Why a wallet is frozen."""

    OPERATOR = "OPERATOR"
    DISPUTE = "DISPUTE"
    INTEGRITY = "INTEGRITY"
    SUBSCRIPTION_INACTIVE = "SUBSCRIPTION_INACTIVE"


class EntryType(StrEnum):
    """The kind of a change."""

    TOP_UP = "TOP_UP"
    DEBIT = "DEBIT"
    REFUND = "REFUND"
    PROMOTION = "PROMOTION"
    PAYMENT = "PAYMENT"
    REVERSAL = "REVERSAL"
    REVERSAL_RETURNED = "REVERSAL_RETURNED"
    AT_RISK = "AT_RISK"
    AT_RISK_ENDED = "AT_RISK_ENDED"
    HOLD = "HOLD"
    CAPTURE = "CAPTURE"
    RELEASE = "RELEASE"
    EXPIRY = "EXPIRY"
    DEBT_REPAYMENT = "DEBT_REPAYMENT"
    ADJUSTMENT = "ADJUSTMENT"
    REPAIR = "REPAIR"
    FREEZE = "FREEZE"
    UNFREEZE = "UNFREEZE"


class CounterpartyAccount(StrEnum):
    """The other side of a change of what the organization owns."""

    PROVIDER_CLEARING = "PROVIDER_CLEARING"
    MESSAGE_REVENUE = "MESSAGE_REVENUE"
    PROMOTION = "PROMOTION"
    RECEIVABLE = "RECEIVABLE"
    ADJUSTMENT = "ADJUSTMENT"


COUNTERPARTIES: Mapping[EntryType, CounterpartyAccount] = {
    EntryType.TOP_UP: CounterpartyAccount.PROVIDER_CLEARING,
    EntryType.DEBIT: CounterpartyAccount.MESSAGE_REVENUE,
    EntryType.REFUND: CounterpartyAccount.MESSAGE_REVENUE,
    EntryType.PROMOTION: CounterpartyAccount.PROMOTION,
    EntryType.PAYMENT: CounterpartyAccount.PROVIDER_CLEARING,
    EntryType.REVERSAL: CounterpartyAccount.PROVIDER_CLEARING,
    EntryType.REVERSAL_RETURNED: CounterpartyAccount.PROVIDER_CLEARING,
    EntryType.CAPTURE: CounterpartyAccount.MESSAGE_REVENUE,
    EntryType.DEBT_REPAYMENT: CounterpartyAccount.RECEIVABLE,
    EntryType.ADJUSTMENT: CounterpartyAccount.ADJUSTMENT,
}

# They move money within the wallet: what it owns less what it owes stays as it was.
INTERNAL_TYPES = frozenset(
    {
        EntryType.AT_RISK,
        EntryType.AT_RISK_ENDED,
        EntryType.HOLD,
        EntryType.RELEASE,
        EntryType.EXPIRY,
        EntryType.DEBT_REPAYMENT,
    }
)


@dataclass(frozen=True, slots=True)
class Freeze:
    """One reason not to spend; the pair (reason, reference_id) is its identity."""

    reason: FreezeReason
    reference_id: str
    note: str
    actor: str
    create_time: datetime

    @property
    def identity(self) -> tuple[FreezeReason, str]:
        """Tell freezes apart."""
        return self.reason, self.reference_id


class Wallet(NamedTuple):
    """One organization's row. Without a currency the wallet is not opened yet.

    A named tuple, as the entry: one of each is made for every debit. What changes with every entry
    stands last, from the funds on.
    """

    organization_id: str
    currency_code: str | None
    at_risk_micros: int
    depleted: bool
    depleted_below_micros: int
    resume_above_micros: int
    freezes: tuple[Freeze, ...]
    level_revision: int
    depleted_since: datetime | None
    subscription: SubscriptionLevel | None
    next_hold_expire_time: datetime | None
    create_time: datetime
    funds: Funds
    entry_count: int
    chain: bytes | None
    update_time: datetime

    def moved(self, funds: Funds, entry_count: int, update_time: datetime) -> "Wallet":
        """Return the wallet after entries; quicker than _replace, which is felt in every debit."""
        kept = self[:FUNDS_FIELD]
        return Wallet._make((*kept, funds, entry_count, self.chain, update_time))

    @property
    def besides_money(self) -> tuple[object, ...]:
        """What changes without an entry, or not with every entry."""
        return self[:FUNDS_FIELD], self.funds.kept_micros

    @property
    def thresholds(self) -> tuple[int, int]:
        """Below which balance the wallet is depleted, and from which on it is not any more."""
        return self.depleted_below_micros, self.resume_above_micros

    @property
    def freeze_reasons(self) -> tuple[str, ...]:
        """Each reason once, in a fixed order."""
        present = {freeze.reason for freeze in self.freezes}
        return tuple(reason for reason in FreezeReason if reason in present)

    @property
    def level(self) -> WalletLevel:
        """What observers are told."""
        return WalletLevel(
            revision=self.level_revision,
            frozen=bool(self.freezes),
            freeze_reasons=self.freeze_reasons,
            depleted=self.depleted,
            depleted_since=self.depleted_since,
            owing_micros=self.funds.owed_micros,
            currency_code=self.currency_code or "",
        )

    @property
    def reevaluate_time(self) -> datetime | None:
        """When time alone will change the wallet: good news expires, and so do holds."""
        times = [time for time in (self._lapse_time, self.next_hold_expire_time) if time]
        return min(times, default=None)

    @property
    def _lapse_time(self) -> datetime | None:
        if self.currency_code is None or self.subscription is None:
            return None
        inactive = FreezeReason.SUBSCRIPTION_INACTIVE in self.freeze_reasons
        return None if inactive else self.subscription.good_until

    def as_of(self, now: datetime) -> "Wallet":
        """Return the wallet with the freeze that its subscription asks for now."""
        if self.subscription is None and not self.freezes:
            return self
        held = [f for f in self.freezes if f.reason is not FreezeReason.SUBSCRIPTION_INACTIVE]
        derived = [f for f in self.freezes if f.reason is FreezeReason.SUBSCRIPTION_INACTIVE]
        if self.subscription is None or self.subscription.is_good_at(now):
            return self._replace(freezes=tuple(held)) if derived else self
        return self if derived else self._replace(freezes=(*held, self.derived_freeze(now)))

    def derived_freeze(self, now: datetime) -> Freeze:
        """The freeze that a subscription not in good standing asks for."""
        level = self.subscription
        note = f"subscription is {level.state}" if level else ""
        if level and level.good_standing and not level.is_good_at(now):
            note = f"subscription was good until {level.good_until}"
        return Freeze(FreezeReason.SUBSCRIPTION_INACTIVE, "", note, GATEWAY_ACTOR, now)


FUNDS_FIELD = Wallet._fields.index("funds")


class Entry(NamedTuple):
    """One line of the ledger: a change and the values after it. Its fields are the table's."""

    organization_id: str
    sequence: int
    amount_micros: int
    balance_after_micros: int
    held_after_micros: int
    owed_after_micros: int
    create_time: datetime
    type: EntryType
    currency_code: str
    reference_id: str | None = None
    reference_part: int | None = None
    payment_id: str | None = None
    hold_reference_id: str | None = None
    freeze_reason: FreezeReason | None = None
    freeze_reference_id: str | None = None
    actor: str = ""
    description: str = ""
    metadata: Metadata = None
    chain: bytes | None = None

    @property
    def counterparty_account(self) -> CounterpartyAccount | None:
        """The other side; none where no money moved."""
        return COUNTERPARTIES.get(self.type)

    @property
    def moved_micros(self) -> int:
        """The change of what the organization owns less what it owes."""
        return 0 if self.type in INTERNAL_TYPES else self.amount_micros


@dataclass(frozen=True, slots=True)
class Payment:
    """The level of one payment as far as it has been applied."""

    payment_id: str
    revision: int
    credited_micros: int
    reversed_micros: int
    at_risk_micros: int
    blocks_spending: bool


class HoldState(StrEnum):
    """How far a hold has come: OPEN -> CAPTURED, RELEASED or EXPIRED -> CAPTURED or RELEASED."""

    OPEN = "OPEN"
    CAPTURED = "CAPTURED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Hold:
    """Money set aside for one message; its id is the reference of the command that placed it."""

    organization_id: str
    reference_id: str
    amount_micros: int
    remaining_micros: int
    captured_micros: int
    state: HoldState
    expire_time: datetime
    description: str
    metadata: Metadata
    create_time: datetime
    update_time: datetime
