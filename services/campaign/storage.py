"""The campaigns' SQL: each statement above the one function that sends it."""

from dataclasses import dataclass
from datetime import datetime

from libs.database import Connection, Record
from libs.levels import subscription_columns, subscription_level_of, wallet_columns, wallet_level_of
from services.campaign.domain.commands import CreateCampaign
from services.campaign.domain.values import (
    Campaign,
    CampaignFilter,
    CampaignState,
    Organization,
    Pause,
    PauseReason,
    Stage,
    settle,
)


@dataclass(frozen=True, slots=True)
class OrganizationRow:
    """An organization, and the database's time at which it was read."""

    organization: Organization
    now: datetime


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """A campaign as it stands, and the database's time at which it was read."""

    campaign: Campaign
    now: datetime


MAKE_ORGANIZATION = "INSERT INTO organizations (organization_id) VALUES ($1) ON CONFLICT DO NOTHING"


async def make_organization(connection: Connection, organization_id: str) -> None:
    """Make the organization's row, so that there is one to lock."""
    await connection.execute(MAKE_ORGANIZATION, organization_id)


# The clock is read outside of the locking query: it tells the time after the wait for the lock.
LOCK_ORGANIZATION = """
WITH locked AS MATERIALIZED (SELECT * FROM organizations WHERE organization_id = $1 FOR UPDATE)
SELECT locked.*, clock_timestamp() AS now FROM locked
"""


async def lock_organization(connection: Connection, organization_id: str) -> OrganizationRow | None:
    """Lock the organization's row until the transaction ends; None if there is none."""
    row = await connection.fetchrow(LOCK_ORGANIZATION, organization_id)
    return OrganizationRow(_to_organization(row), row["now"]) if row else None


READ_ORGANIZATION = """
SELECT *, statement_timestamp() AS now
FROM (SELECT $1::text AS organization_id) AS wanted LEFT JOIN organizations USING (organization_id)
"""


async def read_organization(connection: Connection, organization_id: str) -> OrganizationRow:
    """Read an organization without a lock; of one without a row nothing is known."""
    (row,) = await connection.fetch(READ_ORGANIZATION, organization_id)
    return OrganizationRow(_to_organization(row), row["now"])


SAVE_ORGANIZATION = """
UPDATE organizations
SET organization_pause_note = $2, organization_pause_actor = $3, organization_pause_time = $4,
    subscription_revision = $5, subscription_state = $6, subscription_good_standing = $7,
    subscription_good_until = $8, wallet_revision = $9, wallet_frozen = $10,
    wallet_freeze_reasons = $11, wallet_depleted = $12, wallet_depleted_since = $13,
    wallet_owing_micros = $14, wallet_currency_code = $15, reevaluate_time = $16
WHERE organization_id = $1
"""


async def save_organization(connection: Connection, organization: Organization) -> None:
    """Write the row that is locked."""
    await connection.execute(
        SAVE_ORGANIZATION,
        organization.organization_id,
        *_pause_columns(organization.pause),
        *subscription_columns(organization.subscription),
        *wallet_columns(organization.wallet),
        organization.reevaluate_time,
    )


LIST_DUE = """
SELECT organization_id FROM organizations WHERE reevaluate_time <= now()
ORDER BY reevaluate_time
LIMIT $1
"""


async def list_due_organizations(connection: Connection, limit: int) -> list[str]:
    """Return organizations that time alone has blocked."""
    return [row["organization_id"] for row in await connection.fetch(LIST_DUE, limit)]


PAUSE_RUNNING = """
UPDATE campaigns SET state = 'PAUSED', pause_reason = $2, pause_time = $3, update_time = $3
WHERE organization_id = $1 AND state = 'RUNNING'
"""


async def pause_running(
    connection: Connection, organization_id: str, reason: PauseReason, time: datetime
) -> int:
    """Pause all that runs of an organization; return how many did."""
    return _row_count(await connection.execute(PAUSE_RUNNING, organization_id, reason, time))


CHANGE_PAUSE_REASON = """
UPDATE campaigns SET pause_reason = $2
WHERE organization_id = $1 AND state = 'PAUSED' AND manual_pause_time IS NULL AND pause_reason <> $2
"""


async def change_pause_reason(
    connection: Connection, organization_id: str, reason: PauseReason
) -> None:
    """Give the reason that comes first now to all that was paused automatically."""
    await connection.execute(CHANGE_PAUSE_REASON, organization_id, reason)


RUN_PAUSED = """
UPDATE campaigns SET state = 'RUNNING', pause_reason = NULL, pause_time = NULL, update_time = $2
WHERE organization_id = $1 AND state = 'PAUSED' AND manual_pause_time IS NULL
"""


async def run_paused(connection: Connection, organization_id: str, time: datetime) -> int:
    """Run all that was paused automatically; return how many were."""
    return _row_count(await connection.execute(RUN_PAUSED, organization_id, time))


INSERT_DRAFT = """
INSERT INTO campaigns (
    campaign_id, organization_id, brand_id, name, state, create_time, update_time
) VALUES ($1, $2, $3, $4, 'DRAFT', $5, $5)
ON CONFLICT (campaign_id) DO NOTHING
"""


async def insert_draft(connection: Connection, command: CreateCampaign, now: datetime) -> None:
    """Make a draft unless the id is in use, by whichever organization."""
    await connection.execute(
        INSERT_DRAFT,
        command.campaign_id,
        command.organization_id,
        command.brand_id,
        command.name,
        now,
    )


FIND_ORGANIZATION = "SELECT organization_id FROM campaigns WHERE campaign_id = $1"


async def find_organization_id(connection: Connection, campaign_id: str) -> str | None:
    """Return whose campaign it is; that never changes."""
    organization_id: str | None = await connection.fetchval(FIND_ORGANIZATION, campaign_id)
    return organization_id


READ_CAMPAIGN = """
SELECT *, statement_timestamp() AS now
FROM campaigns JOIN organizations USING (organization_id)
WHERE campaign_id = $1
"""


async def read_campaign(connection: Connection, campaign_id: str) -> CampaignRow | None:
    """Read a campaign as it stands now."""
    row = await connection.fetchrow(READ_CAMPAIGN, campaign_id)
    return CampaignRow(_to_campaign(row), row["now"]) if row else None


SAVE_CAMPAIGN = """
UPDATE campaigns
SET state = $2, pause_reason = $3, pause_time = $4, manual_pause_note = $5, manual_pause_actor = $6,
    manual_pause_time = $7, update_time = $8
WHERE campaign_id = $1
"""


async def save_campaign(connection: Connection, campaign: Campaign) -> None:
    """Write a campaign whose organization is locked."""
    await connection.execute(
        SAVE_CAMPAIGN,
        campaign.campaign_id,
        campaign.state,
        campaign.pause_reason,
        campaign.pause_time,
        *_pause_columns(campaign.manual_pause),
        campaign.update_time,
    )


# Where time alone has blocked the organization the columns do not tell how its campaigns stand.
LIST_CANDIDATES = """
SELECT *, statement_timestamp() AS now
FROM campaigns JOIN organizations USING (organization_id)
WHERE campaign_id > $1
  AND ($2::text = '' OR organization_id = $2)
  AND ($3::text = '' OR brand_id = $3)
  AND (
    reevaluate_time <= statement_timestamp()
    OR (
      ($4::text IS NULL OR state = $4)
      AND ($5::text IS NULL OR pause_reason = $5)
      AND ($6::timestamptz IS NULL OR pause_time < $6)
      AND ($7::timestamptz IS NULL OR pause_time >= $7)
    )
  )
ORDER BY campaign_id
LIMIT $8
"""


async def list_candidates(
    connection: Connection, wanted: CampaignFilter, after: str, limit: int
) -> list[Campaign]:
    """Return, as they stand now, all campaigns that match and maybe some that do not."""
    rows = await connection.fetch(
        LIST_CANDIDATES,
        after,
        wanted.organization_id,
        wanted.brand_id,
        wanted.state,
        wanted.pause_reason,
        wanted.paused_before,
        wanted.paused_after,
        limit,
    )
    return [_to_campaign(row) for row in rows]


def _row_count(tag: str) -> int:
    return int(tag.rpartition(" ")[2])


def _to_organization(row: Record) -> Organization:
    return Organization(
        organization_id=row["organization_id"],
        pause=_to_pause(row, "organization_pause"),
        subscription=subscription_level_of(row),
        wallet=wallet_level_of(row),
        reevaluate_time=row["reevaluate_time"],
    )


def _to_campaign(row: Record) -> Campaign:
    stored = Campaign(
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
    return settle(stored, _to_organization(row), row["now"])


def _to_stage(state: CampaignState) -> Stage:
    if state in (CampaignState.RUNNING, CampaignState.PAUSED):
        return Stage.STARTED
    return Stage(state)


def _to_pause(row: Record, name: str) -> Pause | None:
    if row[f"{name}_time"] is None:
        return None
    return Pause(row[f"{name}_note"], row[f"{name}_actor"], row[f"{name}_time"])


def _pause_columns(pause: Pause | None) -> tuple[str | None, str | None, datetime | None]:
    return (pause.note, pause.actor, pause.create_time) if pause else (None, None, None)
