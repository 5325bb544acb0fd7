"""How rows are read as values, and values written as columns."""

from datetime import datetime

from libs.database import Record
from libs.levels import subscription_level_of, wallet_level_of
from services.campaign.domain.values import (
    Campaign,
    CampaignState,
    EmergencyStop,
    Organization,
    Pause,
    Stage,
)


def to_stop(row: Record) -> EmergencyStop:
    """Read a row of the emergency stop."""
    return EmergencyStop(row["number"], row["note"], row["actor"], row["change_time"])


def to_organization(row: Record) -> Organization:
    """Read an organization and, beside its columns, the stop as it is."""
    return Organization(
        organization_id=row["organization_id"],
        pause=_to_pause(row, "organization_pause"),
        subscription=subscription_level_of(row),
        wallet=wallet_level_of(row),
        reevaluate_time=row["reevaluate_time"],
        stop=to_stop(row["stop"]),
        # One without a row was never settled.
        settled_stop_number=row["settled_stop_number"] or 0,
    )


def to_stored_campaign(row: Record) -> Campaign:
    """Read a campaign as it was stored: how it stands now depends on its organization."""
    return Campaign(
        campaign_id=row["campaign_id"],
        organization_id=row["organization_id"],
        brand_id=row["brand_id"],
        name=row["name"],
        stage=_to_stage(CampaignState(row["state"])),
        manual_pause=_to_pause(row, "manual_pause"),
        pause_time=row["pause_time"],
        create_time=row["create_time"],
        update_time=row["update_time"],
    )


def pause_columns(pause: Pause | None) -> tuple[str | None, str | None, datetime | None]:
    """Return note, actor and time."""
    return (pause.note, pause.actor, pause.create_time) if pause else (None, None, None)


def _to_stage(state: CampaignState) -> Stage:
    if state in (CampaignState.RUNNING, CampaignState.PAUSED):
        return Stage.STARTED
    return Stage(state)


def _to_pause(row: Record, name: str) -> Pause | None:
    if row[f"{name}_time"] is None:
        return None
    return Pause(row[f"{name}_note"], row[f"{name}_actor"], row[f"{name}_time"])
