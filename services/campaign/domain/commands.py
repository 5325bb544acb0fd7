"""What can be asked of a campaign, and what an organization can be told."""

from dataclasses import dataclass
from typing import TypeAlias

from libs.levels import SubscriptionLevel, WalletLevel


@dataclass(frozen=True, slots=True)
class CreateCampaign:
    """Make a draft."""

    campaign_id: str
    organization_id: str
    brand_id: str
    name: str
    actor: str


@dataclass(frozen=True, slots=True)
class StartCampaign:
    """Let a draft run."""

    actor: str


@dataclass(frozen=True, slots=True)
class PauseCampaign:
    """Pause one campaign by hand."""

    note: str
    actor: str


@dataclass(frozen=True, slots=True)
class ResumeCampaign:
    """Lift the manual pause of one campaign."""

    actor: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class CompleteCampaign:
    """End a campaign for ever."""

    actor: str


@dataclass(frozen=True, slots=True)
class PauseOrganization:
    """Pause all that an organization has, or will have."""

    note: str
    actor: str


@dataclass(frozen=True, slots=True)
class ResumeOrganization:
    """Lift the pause of an organization."""

    actor: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class ObserveSubscription:
    """Take a subscription's level."""

    level: SubscriptionLevel


@dataclass(frozen=True, slots=True)
class ObserveWallet:
    """Take a wallet's level."""

    level: WalletLevel


@dataclass(frozen=True, slots=True)
class ChangeStop:
    """Set or lift the emergency stop of all organizations."""

    stands: bool
    note: str
    actor: str


CampaignCommand: TypeAlias = StartCampaign | PauseCampaign | ResumeCampaign | CompleteCampaign
OrganizationCommand: TypeAlias = (
    PauseOrganization | ResumeOrganization | ObserveSubscription | ObserveWallet
)
