"""How all wallets stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.wallet.domain.values import FreezeReason


@dataclass(frozen=True, slots=True)
class FreezeCount:
    """How many wallets one reason freezes, and which of them for longest."""

    count: int = 0
    oldest_time: datetime | None = None
    oldest_organization_id: str = ""


@dataclass(frozen=True, slots=True)
class WalletCounts:
    """How many wallets stand so, at one moment."""

    time: datetime
    frozen_count: int
    owing_count: int
    depleted_count: int
    freezes: Mapping[FreezeReason, FreezeCount]


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """How the checks of one process stand."""

    last_round_time: datetime | None = None
    last_walk_time: datetime | None = None
    doubts_its_keys: bool = False


@dataclass(frozen=True, slots=True)
class RecentDebits:
    """What has come of debits and holds in the last ten minutes, in one process."""

    attempt_count: int
    insufficient_funds_count: int
    database_unavailable_count: int
