"""Levels: how something stands now, at a revision; what services tell each other."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from libs.errors import DomainError, ErrorReason


class SubscriptionState(StrEnum):
    """A subscription's state in Tollgate's words for all providers."""

    PENDING = "PENDING"
    TRIALING = "TRIALING"
    ACTIVE = "ACTIVE"
    PAST_DUE = "PAST_DUE"
    SUSPENDED = "SUSPENDED"
    CANCELED = "CANCELED"


@dataclass(frozen=True, slots=True)
class SubscriptionLevel:
    """Whether an organization is in good standing, and until when that may be believed."""

    revision: int
    state: SubscriptionState
    good_standing: bool
    good_until: datetime | None

    def is_good_at(self, now: datetime) -> bool:
        """Good news expires: past good_until it does not count."""
        return self.good_standing and self.good_until is not None and now < self.good_until


@dataclass(frozen=True, slots=True)
class WalletLevel:
    """Whether an organization's wallet may be spent from."""

    revision: int
    frozen: bool
    freeze_reasons: tuple[str, ...]
    depleted: bool
    depleted_since: datetime | None
    owing_micros: int
    currency_code: str


class Row(Protocol):
    """A row of a database, by column names."""

    def __getitem__(self, name: str, /) -> Any:
        """Return a column's value."""
        ...


LevelT = TypeVar("LevelT", SubscriptionLevel, WalletLevel)


def is_news(held: LevelT | None, reported: LevelT) -> bool:
    """Tell whether an observer takes a reported level. An old or repeated one does no harm.

    The same revision with other content means that the announcer lost its past (a database restored
    from a backup): refused loudly, so that it announces above the revision that is held.
    """
    if held is None or reported.revision > held.revision:
        return True
    if reported.revision == held.revision and reported != held:
        raise DomainError(
            ErrorReason.REFERENCE_CONFLICT,
            f"revision {held.revision} is held with other content",
            heldRevision=held.revision,
        )
    return False


def subscription_level_of(row: Row) -> SubscriptionLevel | None:
    """Read the level that an observer keeps in its organization's row."""
    if row["subscription_revision"] is None:
        return None
    return SubscriptionLevel(
        revision=row["subscription_revision"],
        state=SubscriptionState(row["subscription_state"]),
        good_standing=row["subscription_good_standing"],
        good_until=row["subscription_good_until"],
    )


def subscription_columns(level: SubscriptionLevel | None) -> tuple[object, ...]:
    """Return what subscription_level_of reads: revision, state, good_standing, good_until."""
    if level is None:
        return None, None, None, None
    return level.revision, level.state, level.good_standing, level.good_until


def wallet_level_of(row: Row) -> WalletLevel | None:
    """Read the level that an observer keeps in its organization's row."""
    if row["wallet_revision"] is None:
        return None
    return WalletLevel(
        revision=row["wallet_revision"],
        frozen=row["wallet_frozen"],
        freeze_reasons=tuple(row["wallet_freeze_reasons"]),
        depleted=row["wallet_depleted"],
        depleted_since=row["wallet_depleted_since"],
        owing_micros=row["wallet_owing_micros"],
        currency_code=row["wallet_currency_code"],
    )


def wallet_columns(level: WalletLevel | None) -> tuple[object, ...]:
    """Return what wallet_level_of reads: revision to currency_code, in the order of the fields."""
    if level is None:
        return (None,) * 7
    return (
        level.revision,
        level.frozen,
        level.freeze_reasons,
        level.depleted,
        level.depleted_since,
        level.owing_micros,
        level.currency_code,
    )
