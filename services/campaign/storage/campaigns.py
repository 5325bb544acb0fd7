"""Campaigns: each statement that changes one writes the line of its history, and wakes watchers."""

from collections.abc import Sequence
from dataclasses import dataclass

from libs.database import Connection
from services.campaign.domain.changes import ChangeCause, Origin
from services.campaign.domain.commands import CreateCampaign
from services.campaign.domain.settling import Step, settle
from services.campaign.domain.values import Campaign, CampaignFilter
from services.campaign.storage.organizations import OrganizationRow
from services.campaign.storage.rows import pause_columns, to_organization, to_stored_campaign


@dataclass(frozen=True, slots=True)
class Moved:
    """How many campaigns ceased to run, and how many began to run again."""

    paused_count: int = 0
    resumed_count: int = 0

    def __add__(self, other: "Moved") -> "Moved":
        return Moved(
            self.paused_count + other.paused_count, self.resumed_count + other.resumed_count
        )


# A campaign that runs has no reason, so the reason tells the state. Those paused by hand stay as
# they are, whatever their organization's reason is. Their organizations are named twice, or all
# campaigns would be read for as long as nobody has counted them.
SETTLE = """
WITH settled AS (
    SELECT * FROM unnest(
        $1::text[], $2::text[], $3::timestamptz[], $4::bigint[], $5::text[], $6::text[], $7::text[]
    ) AS settled (organization_id, to_reason, step_time, stop_number, cause, actor, note)
), moved AS (
    SELECT settled.*, campaign_id, state AS from_state,
        CASE WHEN to_reason IS NULL THEN 'RUNNING' ELSE 'PAUSED' END AS to_state,
        greatest(step_time, update_time) AS move_time
    FROM campaigns JOIN settled USING (organization_id)
    WHERE organization_id = ANY ($1) AND state IN ('RUNNING', 'PAUSED')
      AND manual_pause_time IS NULL
      AND pause_reason IS DISTINCT FROM to_reason
), changed AS (
    UPDATE campaigns
    SET state = to_state, pause_reason = to_reason,
        pause_time = CASE to_state WHEN 'PAUSED' THEN coalesce(pause_time, move_time) END,
        update_time = CASE from_state WHEN to_state THEN update_time ELSE move_time END,
        revision = nextval('campaign_revisions')
    FROM moved WHERE campaigns.campaign_id = moved.campaign_id
    RETURNING moved.*
), written AS (
    INSERT INTO campaign_changes (
        organization_id, campaign_id, from_state, to_state, pause_reason, cause, actor, note,
        stop_number, create_time
    )
    SELECT organization_id, campaign_id, from_state, to_state, to_reason, cause, actor, note,
        stop_number, move_time
    FROM changed
    RETURNING from_state, to_state
)
SELECT count(*) FILTER (WHERE from_state = 'RUNNING') AS paused_count,
    count(*) FILTER (WHERE to_state = 'RUNNING') AS resumed_count,
    (SELECT count(pg_notify('campaigns', organization_id)) FROM settled)
FROM written
"""


async def settle_all(connection: Connection, steps: Sequence[Step]) -> Moved:
    """Bring the campaigns of some organizations, that are locked, in line; one step for each."""
    (row,) = await connection.fetch(
        SETTLE,
        [step.organization.organization_id for step in steps],
        [step.pause_reason for step in steps],
        [step.time for step in steps],
        [_stop_number(step) for step in steps],
        [step.origin.cause for step in steps],
        [step.origin.actor for step in steps],
        [step.origin.note for step in steps],
    )
    return Moved(row["paused_count"], row["resumed_count"])


COUNT_STOPPED = """
SELECT count(*) FILTER (WHERE from_state = 'RUNNING') AS paused_count,
    count(*) FILTER (WHERE to_state = 'RUNNING') AS resumed_count
FROM campaign_changes WHERE stop_number = $1
"""


async def count_moved_by_stop(connection: Connection, stop_number: int) -> Moved:
    """Count the campaigns that one change of the emergency stop has moved, whoever settled them."""
    (row,) = await connection.fetch(COUNT_STOPPED, stop_number)
    return Moved(row["paused_count"], row["resumed_count"])


INSERT_DRAFT = """
WITH made AS (
    INSERT INTO campaigns (
        campaign_id, organization_id, brand_id, name, state, create_time, update_time
    ) VALUES ($1, $2, $3, $4, 'DRAFT', $5, $5)
    ON CONFLICT (campaign_id) DO NOTHING
    RETURNING *
)
INSERT INTO campaign_changes (
    organization_id, campaign_id, to_state, cause, actor, note, create_time
)
SELECT organization_id, campaign_id, state, 'COMMAND', $6, '', create_time FROM made
RETURNING pg_notify('campaigns', organization_id)
"""


async def insert_draft(
    connection: Connection, command: CreateCampaign, organization: OrganizationRow
) -> None:
    """Make a draft unless the id is in use, by whichever organization."""
    await connection.execute(
        INSERT_DRAFT,
        command.campaign_id,
        command.organization_id,
        command.brand_id,
        command.name,
        organization.now,
        command.actor,
    )


FIND_ORGANIZATION = "SELECT organization_id FROM campaigns WHERE campaign_id = $1"


async def find_organization_id(connection: Connection, campaign_id: str) -> str | None:
    """Return whose campaign it is; that never changes."""
    organization_id: str | None = await connection.fetchval(FIND_ORGANIZATION, campaign_id)
    return organization_id


READ_STORED = "SELECT * FROM campaigns WHERE campaign_id = $1"


async def read_stored(connection: Connection, campaign_id: str) -> Campaign:
    """Read, as it was stored, a campaign that is there; its organization is locked."""
    (row,) = await connection.fetch(READ_STORED, campaign_id)
    return to_stored_campaign(row)


READ = """
SELECT campaigns.*, organizations.*, emergency_stop AS stop, statement_timestamp() AS now
FROM campaigns JOIN organizations USING (organization_id) CROSS JOIN emergency_stop
WHERE campaign_id = $1
"""


async def read(connection: Connection, campaign_id: str) -> Campaign | None:
    """Read a campaign as it stands now."""
    row = await connection.fetchrow(READ, campaign_id)
    return settle(to_stored_campaign(row), to_organization(row), row["now"]) if row else None


SAVE = """
WITH changed AS (
    UPDATE campaigns
    SET state = $2, pause_reason = $3, pause_time = $4, manual_pause_note = $5,
        manual_pause_actor = $6, manual_pause_time = $7, update_time = $8,
        revision = nextval('campaign_revisions')
    WHERE campaign_id = $1
    RETURNING *
)
INSERT INTO campaign_changes (
    organization_id, campaign_id, from_state, to_state, pause_reason, cause, actor, note,
    create_time
)
SELECT organization_id, campaign_id, $9, state, pause_reason, $10, $11, $12, $13 FROM changed
RETURNING pg_notify('campaigns', organization_id)
"""


async def save(
    connection: Connection,
    before: Campaign,
    after: Campaign,
    origin: Origin,
    organization: OrganizationRow,
) -> None:
    """Write a campaign that a command has changed; its organization is locked."""
    await connection.execute(
        SAVE,
        after.campaign_id,
        after.state,
        after.pause_reason,
        after.pause_time,
        *pause_columns(after.manual_pause),
        after.update_time,
        before.state,
        origin.cause,
        origin.actor,
        origin.note,
        organization.now,
    )


# Where time alone or the emergency stop has changed the organization since it was settled, the
# columns do not tell how its campaigns stand.
LIST_CANDIDATES = """
SELECT campaigns.*, organizations.*, emergency_stop AS stop, statement_timestamp() AS now
FROM campaigns JOIN organizations USING (organization_id) CROSS JOIN emergency_stop
WHERE campaign_id > $1
  AND ($2::text = '' OR organization_id = $2)
  AND ($3::text = '' OR brand_id = $3)
  AND (
    reevaluate_time <= statement_timestamp()
    OR settled_stop_number <> emergency_stop.number
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
    return [settle(to_stored_campaign(row), to_organization(row), row["now"]) for row in rows]


def _stop_number(step: Step) -> int | None:
    if step.origin.cause is not ChangeCause.EMERGENCY_STOP:
        return None
    return step.organization.settled_stop_number
