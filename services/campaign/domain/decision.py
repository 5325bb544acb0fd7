"""The decisions: what is known under the lock and a command give what holds then, or a refusal."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from libs.errors import DomainError, ErrorReason
from libs.levels import is_news
from services.campaign.domain.commands import (
    CampaignCommand,
    CompleteCampaign,
    CreateCampaign,
    ObserveSubscription,
    ObserveWallet,
    OrganizationCommand,
    PauseCampaign,
    PauseOrganization,
    ResumeCampaign,
    ResumeOrganization,
    StartCampaign,
)
from services.campaign.domain.settling import note_times
from services.campaign.domain.values import (
    Campaign,
    CampaignState,
    Organization,
    Pause,
    Stage,
)


def decide_organization(
    organization: Organization, command: OrganizationCommand, now: datetime
) -> Organization:
    """Return the organization after a command: the same one if it is already so."""
    match command:
        case PauseOrganization():
            pause = organization.pause or Pause(command.note, command.actor, now)
            return replace(organization, pause=pause)
        case ResumeOrganization():
            return replace(organization, pause=None)
        case ObserveSubscription():
            news = is_news(organization.subscription, command.level)
            return replace(organization, subscription=command.level) if news else organization
        case ObserveWallet():
            news = is_news(organization.wallet, command.level)
            return replace(organization, wallet=command.level) if news else organization
        case _:
            assert_never(command)


def decide_campaign(campaign: Campaign, command: CampaignCommand, now: datetime) -> Campaign:
    """Return the campaign after a command, or raise the DomainError that refuses it."""
    match command:
        case StartCampaign():
            return _start(campaign, now)
        case PauseCampaign():
            _require_started(campaign)
            pause = campaign.manual_pause or Pause(command.note, command.actor, now)
            return note_times(replace(campaign, manual_pause=pause), now)
        case ResumeCampaign():
            _require_started(campaign)
            return note_times(replace(campaign, manual_pause=None), now)
        case CompleteCampaign():
            return _complete(campaign, now)
        case _:
            assert_never(command)


def require_same_content(campaign: Campaign, command: CreateCampaign) -> None:
    """Refuse an id that was used with other content."""
    differing = [
        name
        for name in ("organization_id", "brand_id", "name")
        if getattr(campaign, name) != getattr(command, name)
    ]
    if differing:
        raise DomainError(
            ErrorReason.REFERENCE_CONFLICT,
            "the campaign's id was used with other content",
            campaignId=campaign.campaign_id,
            differingFields=",".join(differing),
        )


def campaign_not_found(campaign_id: str) -> DomainError:
    """Return the error for an id that no campaign has."""
    return DomainError(
        ErrorReason.CAMPAIGN_NOT_FOUND, "there is no such campaign", campaignId=campaign_id
    )


def _start(campaign: Campaign, now: datetime) -> Campaign:
    if campaign.state is CampaignState.RUNNING:
        return campaign
    if campaign.stage is not Stage.DRAFT:
        raise _invalid_state(campaign)
    if campaign.blockers:
        blockers = ",".join(campaign.blockers)
        raise DomainError(
            ErrorReason.NOT_ELIGIBLE, f"the organization is blocked: {blockers}", blockers=blockers
        )
    return replace(campaign, stage=Stage.STARTED, update_time=now)


def _complete(campaign: Campaign, now: datetime) -> Campaign:
    if campaign.stage is Stage.COMPLETED:
        return campaign
    return replace(
        campaign, stage=Stage.COMPLETED, manual_pause=None, pause_time=None, update_time=now
    )


def _require_started(campaign: Campaign) -> None:
    if campaign.stage is not Stage.STARTED:
        raise _invalid_state(campaign)


def _invalid_state(campaign: Campaign) -> DomainError:
    return DomainError(
        ErrorReason.INVALID_STATE, f"the campaign is {campaign.state}", state=campaign.state
    )
