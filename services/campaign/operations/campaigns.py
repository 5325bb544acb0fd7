"""Campaigns: the commands on one, and the reads."""

from libs.database import Connection, Database
from libs.logs import get_logger
from libs.paging import (
    ChangeKey,
    Page,
    decode_change_key,
    decode_page_token,
    encode_page_token,
    page_limit,
    page_of,
    page_of_changes,
)
from services.campaign.domain.changes import (
    CampaignChange,
    ChangeFilter,
    origin_of_campaign_command,
)
from services.campaign.domain.commands import CampaignCommand, CreateCampaign
from services.campaign.domain.decision import (
    campaign_not_found,
    decide_campaign,
    require_same_content,
)
from services.campaign.domain.settling import settle
from services.campaign.domain.values import Campaign, CampaignFilter
from services.campaign.operations.settling import lock_as_of_now
from services.campaign.storage import campaigns, changes


class CampaignOperations:
    """The commands and reads of campaigns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, command: CreateCampaign) -> Campaign:
        """Make a draft, or return the campaign that was made by the same command before."""
        return await self._database.transact(_create, command)

    async def execute(self, campaign_id: str, command: CampaignCommand) -> Campaign:
        """Carry out a command on one campaign, or raise the DomainError that refuses it."""
        before, after = await self._database.transact(_decide_and_save, campaign_id, command)
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

    async def get(self, campaign_id: str) -> Campaign:
        """Return the campaign as it stands now."""
        return await self._database.run(_read, campaign_id)

    async def list_campaigns(
        self, wanted: CampaignFilter, page_size: int, page_token: str
    ) -> Page[Campaign]:
        """Return a page of campaigns as they stand now, by campaign_id."""
        key = decode_page_token(page_token, str)
        limit = page_limit(page_size)
        after = str(key[0]) if key else ""
        found = await self._database.run(_find, wanted, after, limit + 1)
        return page_of(found, limit, lambda last: encode_page_token(last.campaign_id))

    async def list_changes(
        self, wanted: ChangeFilter, page_size: int, page_token: str
    ) -> Page[CampaignChange]:
        """Return a page of history, newest first."""
        limit = page_limit(page_size)
        before = decode_change_key(page_token)
        found = await self._database.run(changes.list_changes, wanted, before, limit + 1)
        return page_of_changes(
            found, limit, lambda last: ChangeKey(last.create_time, last.sequence)
        )


async def _create(connection: Connection, command: CreateCampaign) -> Campaign:
    row = await lock_as_of_now(connection, command.organization_id)
    await campaigns.insert_draft(connection, command, row)
    campaign = await _read(connection, command.campaign_id)
    require_same_content(campaign, command)
    return campaign


async def _decide_and_save(
    connection: Connection, campaign_id: str, command: CampaignCommand
) -> tuple[Campaign, Campaign]:
    organization_id = await campaigns.find_organization_id(connection, campaign_id)
    if organization_id is None:
        raise campaign_not_found(campaign_id)
    row = await lock_as_of_now(connection, organization_id)
    # Read under the lock: while waiting for it the campaign may change.
    stored = await campaigns.read_stored(connection, campaign_id)
    before = settle(stored, row.organization, row.now)
    after = decide_campaign(before, command, row.now)
    if after != before:
        origin = origin_of_campaign_command(command)
        await campaigns.save(connection, before, after, origin, row)
    return before, after


async def _read(connection: Connection, campaign_id: str) -> Campaign:
    campaign = await campaigns.read(connection, campaign_id)
    if campaign is None:
        raise campaign_not_found(campaign_id)
    return campaign


async def _find(
    connection: Connection, wanted: CampaignFilter, after: str, count: int
) -> list[Campaign]:
    """Return at least so many campaigns that match, or all that there are."""
    found: list[Campaign] = []
    while True:
        candidates = await campaigns.list_candidates(connection, wanted, after, count)
        found += filter(wanted.matches, candidates)
        if len(found) >= count or len(candidates) < count:
            return found
        after = candidates[-1].campaign_id
