"""What a watcher has been told, and is to be told yet: how things stand, never a queue of changes.

Each change of a campaign gives it the next revision of all. A watcher is told in rounds: from the
first campaign to the last by revision, and on with whatever is changed meanwhile. What a campaign
owes to its organization has no revision; when that has changed, another round is due.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.campaign.domain.values import (
    Campaign,
    EmergencyStop,
    Organization,
    Pause,
    PauseReason,
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What all campaigns owe to their organization: if it changes, each may look different."""

    blockers: tuple[PauseReason, ...]
    pause: Pause | None
    stop: EmergencyStop


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen at one moment: the campaigns that come next in a round, as they stand then."""

    organization: Organization
    campaigns: Sequence[Campaign]
    # Of the last of them; 0 if there are none.
    last_revision: int
    # Whether there may be more of them.
    is_partial: bool
    time: datetime

    @property
    def standing(self) -> Standing:
        """How the organization stands."""
        organization = self.organization
        blockers = organization.eligibility_at(self.time).blockers
        return Standing(blockers, organization.pause, organization.stop)

    @property
    def seconds_to_lapse(self) -> float | None:
        """How long it is until time alone changes it; None if it never does, or has already."""
        lapse_time = self.organization.reevaluate_time
        if lapse_time is None or lapse_time <= self.time:
            return None
        return (lapse_time - self.time).total_seconds()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a watcher has been told."""

    # In this round, up to this revision.
    revision: int = 0
    # In any round: campaigns that were COMPLETED by then have changed for the last time.
    revision_ever: int = 0
    # How the organization has stood in all of this round; None if it has changed meanwhile.
    standing: Standing | None = None

    def after(self, sight: Sight) -> "Progress":
        """Return how far it is when it has been told what was seen; a new round if one is due."""
        has_changed = self.revision > 0 and self.standing != sight.standing
        standing = None if has_changed else sight.standing
        revision = max(self.revision, sight.last_revision)
        revision_ever = max(self.revision_ever, revision)
        if has_changed and not sight.is_partial:
            return Progress(revision_ever=revision_ever)
        return Progress(revision, revision_ever, standing)

    def is_current_with(self, sight: Sight) -> bool:
        """Tell whether nothing is left to be told once the sight has been."""
        return not sight.is_partial and self.standing == sight.standing
