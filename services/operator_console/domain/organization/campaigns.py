"""Rules about the organization's campaigns."""

from collections.abc import Iterator
from typing import Final

from services.operator_console.domain.findings import (
    BLOCKING,
    WARNING,
    Finding,
    age_seconds,
    name_of,
    span,
    why_note,
)
from services.operator_console.domain.organization.case import OrganizationCase
from services.operator_console.domain.stopping import stopped_by
from tollgate.campaign.v1 import campaign_pb2

LONG_PAUSED_SECONDS: Final = 30 * 86_400.0


def emergency_stop(case: OrganizationCase) -> Iterator[Finding]:
    """Tell that nobody sends."""
    if case.seen.emergency_stop.active:
        yield stopped_by(case.circumstances, case.seen.emergency_stop)


def organization_paused(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of a pause that an operator set on all of the organization."""
    if case.seen.eligibility.HasField("pause"):
        pause = case.seen.eligibility.pause
        code = "ORGANIZATION_PAUSED"
        yield Finding(
            severity=BLOCKING,
            code=code,
            what=f"{pause.actor or 'somebody'} paused its campaigns: {pause.note or 'no note'}",
            why="None of its campaigns runs, now or later. Ask who set it before you lift it.",
            next_step=case.commands.call(
                "campaign",
                "ResumeCampaignsIfEligible",
                organization_id=case.organization_id,
                note=why_note(code),
            ),
            since_time=pause.create_time,
        )


def manually_paused(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of campaigns that a person paused, one by one."""
    for campaign in case.seen.paused_campaigns:
        if campaign.pause_reason == campaign_pb2.PAUSE_REASON_MANUAL_PAUSE:
            code = "CAMPAIGN_PAUSED_BY_HAND"
            yield Finding(
                severity=WARNING,
                code=code,
                what=f"campaign {campaign.campaign_id} was paused by hand: "
                f"{campaign.note or 'no note'}",
                why="What a person has paused no payment resumes.",
                next_step=case.commands.call(
                    "campaign",
                    "ResumeCampaign",
                    campaign_id=campaign.campaign_id,
                    note=why_note(code),
                ),
                since_time=campaign.pause_time,
            )


def long_paused(case: OrganizationCase) -> Iterator[Finding]:
    """Tell of a campaign that everybody has forgotten."""
    for campaign in case.seen.paused_campaigns:
        age = age_seconds(campaign.pause_time, case.circumstances.now)
        if age > LONG_PAUSED_SECONDS:
            yield Finding(
                severity=WARNING,
                code="CAMPAIGN_PAUSED_LONG",
                what=f"campaign {campaign.campaign_id} is paused for {span(age)}: "
                f"{name_of(campaign_pb2.PauseReason, campaign.pause_reason)}",
                why="The customer should hear of it, or complete it.",
                next_step=case.commands.call(
                    "campaign", "ListCampaignChanges", campaign_id=campaign.campaign_id
                ),
                since_time=campaign.pause_time,
            )
            return
