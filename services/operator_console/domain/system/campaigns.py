"""Rules about all campaigns."""

from collections.abc import Iterator
from datetime import timedelta

from services.operator_console.domain.findings import WARNING, Finding, name_of
from services.operator_console.domain.stopping import stopped_by
from services.operator_console.domain.system.case import SystemCase
from tollgate.campaign.v1 import campaign_pb2


def emergency_stop(case: SystemCase) -> Iterator[Finding]:
    """Tell that nobody sends."""
    if case.overview.campaign.emergency_stop.active:
        yield stopped_by(case.circumstances, case.overview.campaign.emergency_stop)


def long_paused_campaigns(case: SystemCase) -> Iterator[Finding]:
    """Tell of pauses that everybody has forgotten."""
    for pause in case.overview.campaign.pauses:
        if pause.over_30_days_count:
            reason = name_of(campaign_pb2.PauseReason, pause.pause_reason)
            before = case.circumstances.now - timedelta(days=30)
            yield Finding(
                severity=WARNING,
                code="CAMPAIGN_PAUSED_LONG",
                what=f"{pause.over_30_days_count} campaigns are paused for over 30 days: {reason}",
                why="Their customers should hear of it, or complete them.",
                next_step=case.commands.call(
                    "campaign",
                    "ListCampaigns",
                    state="CAMPAIGN_STATE_PAUSED",
                    pause_reason=reason,
                    paused_before=before.isoformat(timespec="seconds"),
                ),
                since_time=pause.oldest_time,
            )
