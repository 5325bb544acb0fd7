"""What the service does: one write path for organizations, one for campaigns, and the reads."""

from dataclasses import dataclass, replace
from datetime import datetime

from libs.database import Connection, Database
from libs.levels import SubscriptionLevel, WalletLevel
from libs.logs import get_logger
from libs.paging import Page, decode_page_token, encode_page_token, page_limit
from libs.workers import for_each_organization
from services.campaign import storage
from services.campaign.domain.commands import (
    CampaignCommand,
    CreateCampaign,
    ObserveSubscription,
    ObserveWallet,
    OrganizationCommand,
)
from services.campaign.domain.decision import (
    campaign_not_found,
    decide_campaign,
    decide_organization,
    require_same_content,
)
from services.campaign.domain.values import Campaign, CampaignFilter, Eligibility, Organization
from services.campaign.storage import CampaignRow, OrganizationRow

REEVALUATE_BATCH = 100


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an organization's campaigns may do now, and how many of them were moved by that."""

    eligibility: Eligibility
    paused_count: int = 0
    resumed_count: int = 0

    @property
    def organization(self) -> Organization:
        """The organization after it."""
        return self.eligibility.organization


class CampaignOperations:
    """The commands and reads of the campaigns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def execute_for_organization(
        self, organization_id: str, command: OrganizationCommand
    ) -> Settlement:
        """Take what an organization is told, and move its campaigns accordingly."""
        before, settlement = await self._database.transact(
            self._decide_and_settle, organization_id, command
        )
        if settlement.organization != before:
            _log_settlement(settlement, repr(command))
        return settlement

    async def observe_subscription(self, organization_id: str, level: SubscriptionLevel) -> int:
        """Take a subscription's level; return the revision held."""
        command = ObserveSubscription(level)
        settlement = await self.execute_for_organization(organization_id, command)
        held = settlement.organization.subscription
        return held.revision if held else 0

    async def observe_wallet(self, organization_id: str, level: WalletLevel) -> int:
        """Take a wallet's level; return the revision held."""
        settlement = await self.execute_for_organization(organization_id, ObserveWallet(level))
        held = settlement.organization.wallet
        return held.revision if held else 0

    async def get_eligibility(self, organization_id: str) -> Eligibility:
        """Return whether an organization's campaigns may run now."""
        row = await self._database.run(storage.read_organization, organization_id)
        return row.organization.eligibility_at(row.now)

    async def create_campaign(self, command: CreateCampaign) -> Campaign:
        """Make a draft, or return the campaign that was made by the same command before."""
        return await self._database.transact(self._create_campaign, command)

    async def execute(self, campaign_id: str, command: CampaignCommand) -> Campaign:
        """Carry out a command on one campaign, or raise the DomainError that refuses it."""
        before, after = await self._database.transact(self._decide_and_save, campaign_id, command)
        if after != before:
            get_logger().info(
                "campaign_changed",
                organization_id=after.organization_id,
                campaign_id=campaign_id,
                command=repr(command),
                state=after.state,
                blockers=after.blockers,
            )
        return after

    async def get_campaign(self, campaign_id: str) -> Campaign:
        """Return the campaign as it stands now."""
        row = await self._database.run(_read_campaign, campaign_id)
        return row.campaign

    async def list_campaigns(
        self, wanted: CampaignFilter, page_size: int, page_token: str
    ) -> Page[Campaign]:
        """Return a page of campaigns as they stand now, by campaign_id."""
        key = decode_page_token(page_token, str)
        limit = page_limit(page_size)
        after = str(key[0]) if key else ""
        found = await self._database.run(_find_campaigns, wanted, after, limit + 1)
        more = len(found) > limit
        token = encode_page_token(found[limit - 1].campaign_id) if more else ""
        return Page(found[:limit], token)

    async def reevaluate_due(self) -> bool:
        """Pause the campaigns of those whose good news has expired; answer whether to go on."""
        organization_ids = await self._database.run(
            storage.list_due_organizations, REEVALUATE_BATCH
        )
        await for_each_organization(organization_ids, self._reevaluate)
        return len(organization_ids) == REEVALUATE_BATCH

    async def _reevaluate(self, organization_id: str) -> None:
        settlement = await self._database.transact(_settle_lapse, organization_id)
        _log_settlement(settlement, "the subscription's good standing has expired")

    async def _decide_and_settle(
        self, connection: Connection, organization_id: str, command: OrganizationCommand
    ) -> tuple[Organization, Settlement]:
        row = await _lock_as_of_now(connection, organization_id)
        after = decide_organization(row.organization, command, row.now)
        if after == row.organization:
            return after, Settlement(after.eligibility_at(row.now))
        return row.organization, await _settle(connection, after, row.now)

    async def _create_campaign(self, connection: Connection, command: CreateCampaign) -> Campaign:
        organization_row = await _lock_as_of_now(connection, command.organization_id)
        await storage.insert_draft(connection, command, organization_row.now)
        row = await _read_campaign(connection, command.campaign_id)
        require_same_content(row.campaign, command)
        return row.campaign

    async def _decide_and_save(
        self, connection: Connection, campaign_id: str, command: CampaignCommand
    ) -> tuple[Campaign, Campaign]:
        organization_id = await storage.find_organization_id(connection, campaign_id)
        if organization_id is None:
            raise campaign_not_found(campaign_id)
        await _lock_as_of_now(connection, organization_id)
        # Read under the lock: while waiting for it the campaign and its organization may change.
        row = await _read_campaign(connection, campaign_id)
        after = decide_campaign(row.campaign, command, row.now)
        if after != row.campaign:
            await storage.save_campaign(connection, after)
        return row.campaign, after


async def _lock(connection: Connection, organization_id: str) -> OrganizationRow:
    while (row := await storage.lock_organization(connection, organization_id)) is None:
        await storage.make_organization(connection, organization_id)
    return row


async def _lock_as_of_now(connection: Connection, organization_id: str) -> OrganizationRow:
    """Lock the organization; what time alone did to it comes before whatever is done now."""
    row = await _lock(connection, organization_id)
    settlement = await _let_time_pass(connection, row)
    return replace(row, organization=settlement.organization)


async def _settle_lapse(connection: Connection, organization_id: str) -> Settlement:
    return await _let_time_pass(connection, await _lock(connection, organization_id))


async def _let_time_pass(connection: Connection, row: OrganizationRow) -> Settlement:
    organization = row.organization
    if not organization.is_due_at(row.now):
        return Settlement(organization.eligibility_at(row.now))
    return await _settle(connection, organization, organization.change_time_at(row.now))


async def _settle(connection: Connection, organization: Organization, time: datetime) -> Settlement:
    """Save the organization and bring all of its campaigns in line, however many there are."""
    settled = organization.settled_at(time)
    await storage.save_organization(connection, settled)
    organization_id = settled.organization_id
    eligibility = settled.eligibility_at(time)
    if eligibility.eligible:
        resumed_count = await storage.run_paused(connection, organization_id, time)
        return Settlement(eligibility, resumed_count=resumed_count)
    reason = eligibility.blockers[0]
    await storage.change_pause_reason(connection, organization_id, reason)
    paused_count = await storage.pause_running(connection, organization_id, reason, time)
    return Settlement(eligibility, paused_count=paused_count)


async def _read_campaign(connection: Connection, campaign_id: str) -> CampaignRow:
    row = await storage.read_campaign(connection, campaign_id)
    if row is None:
        raise campaign_not_found(campaign_id)
    return row


async def _find_campaigns(
    connection: Connection, wanted: CampaignFilter, after: str, count: int
) -> list[Campaign]:
    """Return at least so many campaigns that match, or all that there are."""
    found: list[Campaign] = []
    while True:
        candidates = await storage.list_candidates(connection, wanted, after, count)
        found += filter(wanted.matches, candidates)
        if len(found) >= count or len(candidates) < count:
            return found
        after = candidates[-1].campaign_id


def _log_settlement(settlement: Settlement, cause: str) -> None:
    get_logger().info(
        "campaigns_settled",
        organization_id=settlement.organization.organization_id,
        cause=cause,
        blockers=settlement.eligibility.blockers,
        paused_count=settlement.paused_count,
        resumed_count=settlement.resumed_count,
    )
