"""How many campaigns stand so, as they were settled last. Each count reads an index of its own."""

from libs.counting import begin_counting
from libs.database import Connection
from services.campaign.domain.overview import CampaignCounts, PauseCount
from services.campaign.domain.values import PauseReason
from services.campaign.storage import emergency_stop

COUNT = """
SELECT
    (SELECT count(*) FROM campaigns WHERE state = 'RUNNING') AS running_count,
    (
        SELECT count(*) FROM organizations WHERE organization_pause_time IS NOT NULL
    ) AS paused_organization_count
"""

COUNT_PAUSES = """
SELECT reason, paused.*
FROM unnest($1::text[]) AS reason,
    LATERAL (
        SELECT count(*) AS pause_count, min(pause_time) AS oldest_time,
            count(*) FILTER (WHERE pause_time < now() - interval '30 days') AS over_30_days_count
        FROM campaigns WHERE state = 'PAUSED' AND pause_reason = reason
    ) AS paused
"""


async def count_all(connection: Connection) -> CampaignCounts:
    """Count, in a transaction of its own, how all campaigns stand."""
    now = await begin_counting(connection)
    [row] = await connection.fetch(COUNT)
    pauses = await connection.fetch(COUNT_PAUSES, list(PauseReason))
    return CampaignCounts(
        time=now,
        running_count=row["running_count"],
        pauses={
            PauseReason(each["reason"]): PauseCount(
                each["pause_count"], each["oldest_time"], each["over_30_days_count"]
            )
            for each in pauses
        },
        paused_organization_count=row["paused_organization_count"],
        emergency_stop=await emergency_stop.read(connection),
    )
