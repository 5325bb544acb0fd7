"""What becomes of an organization without a command, and of its campaigns by whatever blocks it."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.campaign.domain.changes import ChangeCause, Origin
from services.campaign.domain.values import (
    Campaign,
    CampaignState,
    EmergencyStop,
    Organization,
    PauseReason,
)


@dataclass(frozen=True, slots=True)
class Step:
    """An organization after something has changed it: its campaigns stand accordingly from then."""

    organization: Organization
    time: datetime
    origin: Origin

    @property
    def pause_reason(self) -> PauseReason | None:
        """Why its campaigns are paused then; None if they run."""
        blockers = self.organization.eligibility_at(self.time).blockers
        return blockers[0] if blockers else None


def steps_until(organization: Organization, now: datetime) -> list[Step]:
    """Return what has changed an organization since it was settled, but its commands.

    Good news expires, and the emergency stop is set and lifted for all at once. What came first
    counts first, however late it is found. Of a stop that was set and lifted meanwhile nothing is
    left.
    """
    steps: list[Step] = []
    stop = organization.stop
    settled = replace(organization, stop=replace(stop, number=organization.settled_stop_number))
    while (step := _next_step(settled, stop, now)) is not None:
        steps.append(step)
        settled = step.organization
    return steps


def settle(campaign: Campaign, organization: Organization, now: datetime) -> Campaign:
    """Return the campaign as its organization lets it stand now."""
    for step in steps_until(organization, now):
        campaign = _stand(campaign, step.organization, step.time)
    return _stand(campaign, organization, now)


def note_times(campaign: Campaign, time: datetime) -> Campaign:
    """Note the time if the campaign has begun, or ceased, to be paused.

    What is found late began in the past, but not before the campaign's last change.
    """
    paused = campaign.state is CampaignState.PAUSED
    if paused == (campaign.pause_time is not None):
        return campaign
    time = max(time, campaign.update_time)
    return replace(campaign, pause_time=time if paused else None, update_time=time)


def _next_step(settled: Organization, stop: EmergencyStop, now: datetime) -> Step | None:
    lapse_time = settled.change_time_at(now) if settled.is_due_at(now) else None
    if settled.stop.number != stop.number and (lapse_time is None or stop.change_time < lapse_time):
        origin = Origin(ChangeCause.EMERGENCY_STOP, stop.actor, stop.note)
        stopped = replace(settled, stop=stop).settled_at(stop.change_time)
        return Step(stopped, stop.change_time, origin)
    if lapse_time is None:
        return None
    return Step(settled.settled_at(lapse_time), lapse_time, Origin(ChangeCause.TIME))


def _stand(campaign: Campaign, organization: Organization, time: datetime) -> Campaign:
    blockers = organization.eligibility_at(time).blockers
    note = organization.note_of(blockers[0]) if blockers else ""
    standing = replace(campaign, organization_blockers=blockers, organization_note=note)
    return note_times(standing, time)
