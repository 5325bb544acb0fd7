"""Sums over the ledgers of all wallets."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from libs.errors import DomainError, ErrorReason, invalid_field
from services.wallet.domain.draft import MICROS_MAX
from services.wallet.domain.values import (
    COUNTERPARTIES,
    INTERNAL_TYPES,
    CounterpartyAccount,
    EntryType,
)

LIST_SPAN_MAX = timedelta(days=31)


class BucketSize(StrEnum):
    """What entries are counted by."""

    HOUR = "HOUR"
    DAY = "DAY"


# So that an answer has room in one message.
STATISTICS_SPAN_MAX: Mapping[BucketSize, timedelta] = {
    BucketSize.HOUR: timedelta(days=31),
    BucketSize.DAY: timedelta(days=366),
}


class Bucket(NamedTuple):
    """The entries of one type in one hour or day."""

    start_time: datetime
    type: EntryType
    entry_count: int
    total_micros: int

    @property
    def counterparty_account(self) -> CounterpartyAccount | None:
        """The other side; none where no money moved."""
        return COUNTERPARTIES.get(self.type)


class TrialBalance(NamedTuple):
    """What stands on each account. All of it is somebody's: the sum is zero."""

    wallets_micros: int
    accounts: Mapping[CounterpartyAccount, int]

    @property
    def sum_micros(self) -> int:
        """The sum of all accounts."""
        return self.wallets_micros + sum(self.accounts.values())


def trial_balance(
    amounts_micros: Mapping[EntryType, int], balances_micros: int, owed_micros: int
) -> TrialBalance:
    """Sum up by account what entries have moved, and what wallets have and owe."""
    accounts = dict.fromkeys(CounterpartyAccount, 0)
    accounts[CounterpartyAccount.RECEIVABLE] = -owed_micros
    for type_, amount in amounts_micros.items():
        if type_ in COUNTERPARTIES and type_ not in INTERNAL_TYPES:
            accounts[COUNTERPARTIES[type_]] -= amount
    return TrialBalance(
        require_int64(balances_micros),
        {account: require_int64(total) for account, total in accounts.items()},
    )


def require_int64(total_micros: int) -> int:
    """Refuse a sum that no message can hold."""
    if abs(total_micros) > MICROS_MAX:
        raise DomainError(
            ErrorReason.BALANCE_LIMIT_EXCEEDED,
            "a sum passes the largest amount that can be told",
            totalMicros=total_micros,
        )
    return total_micros


def require_span(start_time: datetime, end_time: datetime, span_max: timedelta) -> None:
    """Refuse a span that is empty, or too long."""
    if end_time <= start_time:
        raise invalid_field("end_time", "must be after start_time")
    if end_time - start_time > span_max:
        raise invalid_field("end_time", f"must be at most {span_max.days} days after start_time")
