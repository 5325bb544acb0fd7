"""What is known of an organization and its campaigns, and what follows from it."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from libs.levels import SubscriptionLevel, WalletLevel


class CampaignState(StrEnum):
    """Where a campaign stands."""

    DRAFT = "DRAFT"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"


class Stage(StrEnum):
    """What people wanted of a campaign; whether a started one runs is derived."""

    DRAFT = "DRAFT"
    STARTED = "STARTED"
    COMPLETED = "COMPLETED"


class PauseReason(StrEnum):
    """Why a campaign does not run; where several hold, the first in this order is shown."""

    MANUAL_PAUSE = "MANUAL_PAUSE"
    EMERGENCY_STOP = "EMERGENCY_STOP"
    ORGANIZATION_PAUSE = "ORGANIZATION_PAUSE"
    SUBSCRIPTION_INACTIVE = "SUBSCRIPTION_INACTIVE"
    WALLET_FROZEN = "WALLET_FROZEN"
    WALLET_DEPLETED = "WALLET_DEPLETED"


@dataclass(frozen=True, slots=True)
class Pause:
    """What a person paused, a campaign or a whole organization."""

    note: str
    actor: str
    create_time: datetime


@dataclass(frozen=True, slots=True)
class EmergencyStop:
    """What was said last of all organizations together: each change adds one to the number."""

    number: int
    note: str
    actor: str
    change_time: datetime

    @property
    def stands(self) -> bool:
        """It was set, and not lifted yet."""
        return self.number % 2 == 1


NEVER_STOPPED = EmergencyStop(0, "", "", datetime.fromtimestamp(0, UTC))


@dataclass(frozen=True, slots=True)
class Eligibility:
    """Whether an organization's campaigns may run, and what that rests on."""

    organization: "Organization"
    blockers: tuple[PauseReason, ...]

    @property
    def eligible(self) -> bool:
        """Nothing blocks the organization."""
        return not self.blockers


@dataclass(frozen=True, slots=True)
class Organization:
    """One organization: its levels, its pause by an operator, and the stop of all."""

    organization_id: str
    pause: Pause | None = None
    subscription: SubscriptionLevel | None = None
    wallet: WalletLevel | None = None
    # When time alone will block it, for good news expires; None when it has.
    reevaluate_time: datetime | None = None
    stop: EmergencyStop = NEVER_STOPPED
    # The stop's number under which its campaigns were settled last.
    settled_stop_number: int = 0

    def eligibility_at(self, now: datetime) -> Eligibility:
        """Return what blocks it. What nobody has told of yet blocks."""
        subscription, wallet = self.subscription, self.wallet
        holds = {
            PauseReason.EMERGENCY_STOP: self.stop.stands,
            PauseReason.ORGANIZATION_PAUSE: self.pause is not None,
            PauseReason.SUBSCRIPTION_INACTIVE: not (subscription and subscription.is_good_at(now)),
            PauseReason.WALLET_FROZEN: wallet is not None and wallet.frozen,
            PauseReason.WALLET_DEPLETED: wallet is None or wallet.depleted,
        }
        return Eligibility(self, tuple(reason for reason in PauseReason if holds.get(reason)))

    def is_due_at(self, now: datetime) -> bool:
        """Tell whether time has changed it since it was settled; a clock may step back, too."""
        return self.settled_at(now) != self

    def change_time_at(self, now: datetime) -> datetime:
        """Return when that which holds now began: in the past if time alone brought it."""
        if self.reevaluate_time is None:
            return now
        return min(self.reevaluate_time, now)

    def settled_at(self, time: datetime) -> "Organization":
        """Return the organization with the time at which it must be looked at again."""
        level = self.subscription
        lapse_time = level.good_until if level and level.is_good_at(time) else None
        return replace(self, reevaluate_time=lapse_time, settled_stop_number=self.stop.number)

    def note_of(self, reason: PauseReason) -> str:
        """Return what a person noted when setting this reason; nothing if none did."""
        if reason is PauseReason.EMERGENCY_STOP:
            return self.stop.note
        if reason is PauseReason.ORGANIZATION_PAUSE and self.pause:
            return self.pause.note
        return ""


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as it stands under what blocks its organization: its state cannot be set."""

    campaign_id: str
    organization_id: str
    brand_id: str
    name: str
    stage: Stage
    manual_pause: Pause | None
    pause_time: datetime | None
    create_time: datetime
    update_time: datetime
    organization_blockers: tuple[PauseReason, ...] = ()
    organization_note: str = ""

    @property
    def blockers(self) -> tuple[PauseReason, ...]:
        """All that keeps it from running, or would."""
        if self.stage is Stage.COMPLETED:
            return ()
        manual = (PauseReason.MANUAL_PAUSE,) if self.manual_pause else ()
        return (*manual, *self.organization_blockers)

    @property
    def state(self) -> CampaignState:
        """Whether it runs."""
        if self.stage is not Stage.STARTED:
            return CampaignState(self.stage)
        return CampaignState.PAUSED if self.blockers else CampaignState.RUNNING

    @property
    def pause_reason(self) -> PauseReason | None:
        """The first blocker of a paused campaign."""
        return self.blockers[0] if self.state is CampaignState.PAUSED else None

    @property
    def note(self) -> str:
        """What was noted by the person who set the reason of the pause."""
        if self.state is not CampaignState.PAUSED:
            return ""
        return self.manual_pause.note if self.manual_pause else self.organization_note


@dataclass(frozen=True, slots=True)
class CampaignFilter:
    """Which campaigns; what is unset does not restrict."""

    organization_id: str
    brand_id: str
    state: CampaignState | None
    pause_reason: PauseReason | None
    paused_before: datetime | None
    paused_after: datetime | None

    def matches(self, campaign: Campaign) -> bool:
        """Tell whether a campaign stands, at the time of its reading, as is asked for."""
        return (
            self.organization_id in ("", campaign.organization_id)
            and self.brand_id in ("", campaign.brand_id)
            and self.state in (None, campaign.state)
            and self.pause_reason in (None, campaign.pause_reason)
            and self._matches_pause_time(campaign.pause_time)
        )

    def _matches_pause_time(self, pause_time: datetime | None) -> bool:
        if pause_time is None:
            return self.paused_before is None and self.paused_after is None
        before = self.paused_before is None or pause_time < self.paused_before
        after = self.paused_after is None or pause_time >= self.paused_after
        return before and after
