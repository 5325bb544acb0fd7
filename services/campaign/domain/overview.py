"""How all campaigns stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.campaign.domain.values import EmergencyStop, PauseReason


@dataclass(frozen=True, slots=True)
class PauseCount:
    """How many campaigns are paused for one reason, and for how long."""

    count: int
    oldest_time: datetime | None
    over_30_days_count: int


@dataclass(frozen=True, slots=True)
class CampaignCounts:
    """How many campaigns stand so, at one moment."""

    time: datetime
    running_count: int
    pauses: Mapping[PauseReason, PauseCount]
    paused_organization_count: int
    emergency_stop: EmergencyStop
