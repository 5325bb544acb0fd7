"""What the model knows of one organization: all it was told, and what must follow."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from libs.levels import SubscriptionLevel, WalletLevel
from services.campaign.domain.settling import settle
from services.campaign.domain.values import Campaign, EmergencyStop, Pause, Stage
from services.campaign.domain.values import Organization as CampaignOrganization
from services.telephony.domain.decision import wanted_state
from services.telephony.domain.values import OperatorBlock
from services.telephony.domain.values import Organization as TelephonyOrganization
from tests.integration.system.pausing_model.facts import Fact, HeldLevel, certain, flag
from tests.integration.system.pausing_model.rules import (
    POLICY,
    flag_is_set,
    subscription_is_bad,
    subscription_suspends,
    wallet_forbids_sending,
    wallet_pauses,
    wallet_suspends,
)
from tests.integration.system.pausing_model.site import CAMPAIGN, NAMES, TELEPHONY

Level: TypeAlias = SubscriptionLevel | WalletLevel
Window: TypeAlias = tuple[datetime, datetime]
NO_WISH = "UNSPECIFIED"


@dataclass
class Held:
    """What a service holds of an organization."""

    subscription: HeldLevel[SubscriptionLevel] = field(default_factory=HeldLevel)
    wallet: HeldLevel[WalletLevel] = field(default_factory=HeldLevel)


@dataclass
class CampaignModel:
    """A campaign, as its commands were answered."""

    campaign_id: str
    brand_id: str
    stage: Stage | None = None
    paused_by_hand: Fact[bool] = field(default_factory=flag)

    def value(self, organization_id: str, time: datetime) -> Campaign:
        assert self.stage is not None
        return Campaign(
            campaign_id=self.campaign_id,
            organization_id=organization_id,
            brand_id=self.brand_id,
            name="",
            stage=self.stage,
            manual_pause=Pause("", "", time) if self.paused_by_hand.value else None,
            pause_time=None,
            create_time=time,
            update_time=time,
        )


@dataclass
class OrganizationModel:
    """The newest of each level, what operators said last, and what belongs to it."""

    organization_id: str
    stopped: Fact[bool]
    subscriptions: list[SubscriptionLevel] = field(default_factory=list)
    wallets: list[WalletLevel] = field(default_factory=list)
    held: dict[str, Held] = field(default_factory=lambda: {name: Held() for name in NAMES})
    # By an operator, at the campaigns and at the subaccounts.
    paused: Fact[bool] = field(default_factory=flag)
    blocked: Fact[bool] = field(default_factory=flag)
    campaigns: dict[str, CampaignModel] = field(default_factory=dict)
    brand_of: dict[str, str] = field(default_factory=dict)
    changed_in_console: bool = False

    @property
    def subscription(self) -> SubscriptionLevel | None:
        return max(self.subscriptions, key=lambda level: level.revision, default=None)

    @property
    def wallet(self) -> WalletLevel | None:
        return max(self.wallets, key=lambda level: level.revision, default=None)

    def for_campaigns(self, time: datetime) -> CampaignOrganization:
        """Return what the campaign service must know, once nothing is under way."""
        return CampaignOrganization(
            self.organization_id,
            pause=Pause("", "", time) if self.paused.value else None,
            subscription=self.subscription,
            wallet=self.wallet,
            stop=EmergencyStop(int(self.stopped.value), "", "", time),
        ).settled_at(time)

    def for_subaccounts(self, time: datetime) -> TelephonyOrganization:
        """Return what the telephony service must know, once nothing is under way."""
        return TelephonyOrganization(
            self.organization_id,
            operator_block=OperatorBlock("", "", time) if self.blocked.value else None,
            subscription=self.subscription,
            wallet=self.wallet,
        ).settled_at(POLICY, time)

    def stays_as_it_is(self, time: datetime, until: datetime) -> bool:
        """Tell whether time alone changes nothing soon."""
        due = (
            self.for_campaigns(time).reevaluate_time,
            self.for_subaccounts(time).reevaluate_time,
        )
        return all(each is None or each > until for each in due)

    def campaign_at_rest(self, campaign_id: str, time: datetime) -> Campaign:
        campaign = self.campaigns[campaign_id].value(self.organization_id, time)
        return settle(campaign, self.for_campaigns(time), time)

    def wanted_at_rest(self, time: datetime) -> str:
        return wanted_state(self.for_subaccounts(time), POLICY, time) or NO_WISH

    def must_pause(self, window: Window) -> bool:
        """Tell whether something kept all its campaigns from running all the time."""
        held = self.held[CAMPAIGN]
        return (
            certain(self.stopped, flag_is_set, *window)
            or certain(self.paused, flag_is_set, *window)
            or certain(held.subscription, subscription_is_bad, *window)
            or certain(held.wallet, wallet_pauses, *window)
        )

    def must_suspend(self, window: Window) -> bool:
        """Tell whether something wanted its subaccounts suspended all the time."""
        held = self.held[TELEPHONY]
        return (
            certain(self.blocked, flag_is_set, *window)
            or certain(held.subscription, subscription_suspends, *window)
            or certain(held.wallet, wallet_suspends, *window)
        )

    def must_not_send(self, window: Window) -> bool:
        held = self.held[TELEPHONY]
        return (
            certain(self.blocked, flag_is_set, *window)
            or certain(held.subscription, subscription_is_bad, *window)
            or certain(held.wallet, wallet_forbids_sending, *window)
        )
