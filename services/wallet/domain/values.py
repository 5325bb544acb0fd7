"""What a wallet is: its row, its entries, its freezes, and the payments applied to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from libs.levels import SubscriptionLevel, WalletLevel

GATEWAY_ACTOR = "billing_gateway"


class FreezeReason(StrEnum):
    """Why a wallet is frozen."""

    OPERATOR = "OPERATOR"
    DISPUTE = "DISPUTE"
    SUBSCRIPTION_INACTIVE = "SUBSCRIPTION_INACTIVE"


class EntryType(StrEnum):
    """The kind of a change."""

    TOP_UP = "TOP_UP"
    DEBIT = "DEBIT"
    REFUND = "REFUND"
    PROMOTION = "PROMOTION"
    PAYMENT = "PAYMENT"
    FREEZE = "FREEZE"
    UNFREEZE = "UNFREEZE"


class CounterpartyAccount(StrEnum):
    """The other side of a change of the balance."""

    PROVIDER_CLEARING = "PROVIDER_CLEARING"
    MESSAGE_REVENUE = "MESSAGE_REVENUE"
    PROMOTION = "PROMOTION"


COUNTERPARTIES: Mapping[EntryType, CounterpartyAccount] = {
    EntryType.TOP_UP: CounterpartyAccount.PROVIDER_CLEARING,
    EntryType.DEBIT: CounterpartyAccount.MESSAGE_REVENUE,
    EntryType.REFUND: CounterpartyAccount.MESSAGE_REVENUE,
    EntryType.PROMOTION: CounterpartyAccount.PROMOTION,
    EntryType.PAYMENT: CounterpartyAccount.PROVIDER_CLEARING,
}


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


@dataclass(frozen=True, slots=True)
class Wallet:
    """One organization's row. Without a currency the wallet is not opened yet."""

    organization_id: str
    currency_code: str | None
    balance_micros: int
    freezes: tuple[Freeze, ...]
    entry_count: int
    level_revision: int
    depleted_since: datetime | None
    subscription: SubscriptionLevel | None
    create_time: datetime
    update_time: datetime

    @property
    def depleted(self) -> bool:
        """Nothing is left to spend."""
        return self.balance_micros <= 0

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
            currency_code=self.currency_code or "",
        )

    @property
    def reevaluate_time(self) -> datetime | None:
        """When time alone will freeze the wallet: good news expires."""
        inactive = FreezeReason.SUBSCRIPTION_INACTIVE in self.freeze_reasons
        if self.currency_code is None or self.subscription is None or inactive:
            return None
        return self.subscription.good_until

    def as_of(self, now: datetime) -> "Wallet":
        """Return the wallet with the freeze that its subscription asks for now."""
        held = [f for f in self.freezes if f.reason is not FreezeReason.SUBSCRIPTION_INACTIVE]
        derived = [f for f in self.freezes if f.reason is FreezeReason.SUBSCRIPTION_INACTIVE]
        if self.subscription is None or self.subscription.is_good_at(now):
            return replace(self, freezes=tuple(held)) if derived else self
        return self if derived else replace(self, freezes=(*held, self.derived_freeze(now)))

    def derived_freeze(self, now: datetime) -> Freeze:
        """The freeze that a subscription not in good standing asks for."""
        level = self.subscription
        note = f"subscription is {level.state}" if level else ""
        if level and level.good_standing and not level.is_good_at(now):
            note = f"subscription was good until {level.good_until}"
        return Freeze(FreezeReason.SUBSCRIPTION_INACTIVE, "", note, GATEWAY_ACTOR, now)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger: a change and the values after it."""

    organization_id: str
    sequence: int
    type: EntryType
    amount_micros: int
    balance_after_micros: int
    create_time: datetime
    reference_id: str | None = None
    reference_part: int | None = None
    payment_id: str | None = None
    freeze_reason: FreezeReason | None = None
    freeze_reference_id: str | None = None
    actor: str = ""
    description: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def counterparty_account(self) -> CounterpartyAccount | None:
        """The other side; none where no money moved."""
        return COUNTERPARTIES.get(self.type)


@dataclass(frozen=True, slots=True)
class Payment:
    """The level of one payment as far as it has been applied."""

    payment_id: str
    revision: int
    credited_micros: int


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries of an organization; what is unset does not restrict."""

    organization_id: str
    start_time: datetime | None
    end_time: datetime | None
    type: EntryType | None
    reference_id: str
    payment_id: str
    actor: str
