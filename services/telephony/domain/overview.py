"""How all subaccounts stand."""

from dataclasses import dataclass
from datetime import datetime

from services.telephony.domain.trouble import TwilioHealth


@dataclass(frozen=True, slots=True)
class StandingCount:
    """How many there are that are not as they should be, since when, and whose the oldest is."""

    count: int
    oldest_time: datetime | None
    oldest_organization_id: str


@dataclass(frozen=True, slots=True)
class SubaccountCounts:
    """Subaccounts that are not as they should be."""

    drifted: StandingCount
    # Of these, those that must be suspended: they may cost money.
    unsuspended: StandingCount
    failing: StandingCount
    aftermath_failing: StandingCount


@dataclass(frozen=True, slots=True)
class ProvisionCounts:
    """Intents to have a subaccount made that have none yet."""

    open: StandingCount
    failing: StandingCount


@dataclass(frozen=True, slots=True)
class TelephonyCounts:
    """How all stands, at one moment."""

    time: datetime
    twilio: TwilioHealth
    subaccounts: SubaccountCounts
    provisions: ProvisionCounts
    blocked_organization_count: int
