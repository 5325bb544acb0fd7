"""What changed of a campaign, and why: the lines of its history."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from services.campaign.domain.commands import (
    CampaignCommand,
    ObserveSubscription,
    ObserveWallet,
    OrganizationCommand,
    PauseCampaign,
    PauseOrganization,
    ResumeCampaign,
    ResumeOrganization,
)
from services.campaign.domain.values import CampaignState, PauseReason


class ChangeCause(StrEnum):
    """What changed a campaign."""

    COMMAND = "COMMAND"
    ORGANIZATION_PAUSE = "ORGANIZATION_PAUSE"
    EMERGENCY_STOP = "EMERGENCY_STOP"
    SUBSCRIPTION = "SUBSCRIPTION"
    WALLET = "WALLET"
    TIME = "TIME"


@dataclass(frozen=True, slots=True)
class Origin:
    """What brought a change about, and who, if a person did."""

    cause: ChangeCause
    actor: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class CampaignChange:
    """One line of a campaign's history."""

    sequence: int
    organization_id: str
    campaign_id: str
    from_state: CampaignState | None
    to_state: CampaignState
    pause_reason: PauseReason | None
    origin: Origin
    create_time: datetime


@dataclass(frozen=True, slots=True)
class ChangeFilter:
    """Which changes; what is unset does not restrict."""

    organization_id: str
    campaign_id: str
    cause: ChangeCause | None
    actor: str
    start_time: datetime | None
    end_time: datetime | None


def origin_of_campaign_command(command: CampaignCommand) -> Origin:
    """Return what a command on one campaign stands for in its history."""
    note = command.note if isinstance(command, PauseCampaign | ResumeCampaign) else ""
    return Origin(ChangeCause.COMMAND, command.actor, note)


def origin_of_organization_command(command: OrganizationCommand) -> Origin:
    """Return what a command on an organization stands for in its campaigns' history."""
    match command:
        case PauseOrganization() | ResumeOrganization():
            return Origin(ChangeCause.ORGANIZATION_PAUSE, command.actor, command.note)
        case ObserveSubscription():
            return Origin(ChangeCause.SUBSCRIPTION)
        case ObserveWallet():
            return Origin(ChangeCause.WALLET)
        case _:
            assert_never(command)
