"""What lists may be asked for."""

from dataclasses import dataclass
from datetime import datetime

from services.wallet.domain.values import EntryType, FreezeReason


@dataclass(frozen=True, slots=True)
class WalletFilter:
    """Which wallets; what is None does not restrict."""

    frozen: bool | None
    owing: bool | None
    depleted: bool | None
    freeze_reason: FreezeReason | None
    frozen_before: datetime | None


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries; what is unset does not restrict."""

    organization_id: str
    start_time: datetime | None
    end_time: datetime | None
    type: EntryType | None
    reference_id: str
    payment_id: str
    actor: str
