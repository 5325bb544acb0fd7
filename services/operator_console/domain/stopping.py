"""The emergency stop, as a finding."""

from services.operator_console.domain.findings import CRITICAL, Circumstances, Finding, why_note
from tollgate.campaign.v1 import campaign_pb2


def stopped_by(circumstances: Circumstances, stop: campaign_pb2.EmergencyStop) -> Finding:
    """Tell who stopped the campaigns of all organizations, and why."""
    code = "EMERGENCY_STOP"
    return Finding(
        severity=CRITICAL,
        code=code,
        what=f"{stop.actor or 'somebody'} stopped all campaigns: {stop.note or 'no note'}",
        why="No campaign of anybody runs. Ask who set it before you lift it.",
        next_step=circumstances.commands.call(
            "campaign", "ResumeAllCampaigns", note=why_note(code)
        ),
        since_time=stop.create_time,
    )
