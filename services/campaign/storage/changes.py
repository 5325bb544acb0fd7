"""The history of campaigns, as it is read: it is written by the statements that change them."""

from libs.database import Connection, Record
from libs.paging import ChangeKey
from services.campaign.domain.changes import CampaignChange, ChangeCause, ChangeFilter, Origin
from services.campaign.domain.values import CampaignState, PauseReason

LIST = """
SELECT * FROM campaign_changes
WHERE ($1::text = '' OR organization_id = $1)
  AND ($2::text = '' OR campaign_id = $2)
  AND ($3::text IS NULL OR cause = $3)
  AND ($4::text = '' OR (actor = $4 AND actor <> ''))
  AND ($5::timestamptz IS NULL OR create_time >= $5)
  AND ($6::timestamptz IS NULL OR create_time < $6)
  AND ($7::timestamptz IS NULL OR (create_time, sequence) < ($7, $8))
ORDER BY create_time DESC, sequence DESC
LIMIT $9
"""


async def list_changes(
    connection: Connection, wanted: ChangeFilter, before: ChangeKey, limit: int
) -> list[CampaignChange]:
    """Return changes, newest first, before the given one."""
    rows = await connection.fetch(
        LIST,
        wanted.organization_id,
        wanted.campaign_id,
        wanted.cause,
        wanted.actor,
        wanted.start_time,
        wanted.end_time,
        before.time,
        before.number,
        limit,
    )
    return [_to_change(row) for row in rows]


def _to_change(row: Record) -> CampaignChange:
    return CampaignChange(
        sequence=row["sequence"],
        organization_id=row["organization_id"],
        campaign_id=row["campaign_id"],
        from_state=CampaignState(row["from_state"]) if row["from_state"] else None,
        to_state=CampaignState(row["to_state"]),
        pause_reason=PauseReason(row["pause_reason"]) if row["pause_reason"] else None,
        origin=Origin(ChangeCause(row["cause"]), row["actor"], row["note"]),
        create_time=row["create_time"],
    )
