"""How much stands otherwise than it should, since when. Each count reads an index of its own."""

from libs.counting import begin_counting
from libs.database import Connection
from services.telephony.domain.overview import (
    ProvisionCounts,
    StandingCount,
    SubaccountCounts,
    TelephonyCounts,
)
from services.telephony.storage import trouble

COUNT_SUBACCOUNTS = """
SELECT 'drifted' AS standing, count(*), min(drift_time) AS oldest_time,
    (
        SELECT organization_id FROM subaccounts WHERE drift_time IS NOT NULL
        ORDER BY drift_time LIMIT 1
    ) AS oldest_organization_id
FROM subaccounts WHERE drift_time IS NOT NULL
UNION ALL
SELECT 'unsuspended', count(*), min(drift_time),
    (SELECT organization_id FROM subaccounts WHERE urgent ORDER BY drift_time LIMIT 1)
FROM subaccounts WHERE urgent
UNION ALL
SELECT 'failing', count(*), min(failing_time),
    (
        SELECT organization_id FROM subaccounts WHERE failing_time IS NOT NULL
        ORDER BY failing_time LIMIT 1
    )
FROM subaccounts WHERE failing_time IS NOT NULL
UNION ALL
SELECT 'aftermath_failing', count(*), min(aftermath_failing_time),
    (
        SELECT organization_id FROM subaccounts WHERE aftermath_failing_time IS NOT NULL
        ORDER BY aftermath_failing_time LIMIT 1
    )
FROM subaccounts WHERE aftermath_failing_time IS NOT NULL
"""

COUNT_PROVISIONS = """
SELECT 'open' AS standing, count(*), min(create_time) AS oldest_time,
    (
        SELECT organization_id FROM provisions WHERE account_sid IS NULL
        ORDER BY create_time LIMIT 1
    ) AS oldest_organization_id
FROM provisions WHERE account_sid IS NULL
UNION ALL
SELECT 'failing', count(*), min(failing_time),
    (
        SELECT organization_id FROM provisions WHERE failing_time IS NOT NULL
        ORDER BY failing_time LIMIT 1
    )
FROM provisions WHERE failing_time IS NOT NULL
"""

COUNT_BLOCKED = "SELECT count(*) FROM organizations WHERE operator_block_time IS NOT NULL"


async def count_all(connection: Connection) -> TelephonyCounts:
    """Count, in a transaction of its own, how all stands."""
    now = await begin_counting(connection)
    return TelephonyCounts(
        time=now,
        twilio=(await trouble.read(connection)).health,
        subaccounts=SubaccountCounts(**await _count(connection, COUNT_SUBACCOUNTS)),
        provisions=ProvisionCounts(**await _count(connection, COUNT_PROVISIONS)),
        blocked_organization_count=await connection.fetchval(COUNT_BLOCKED),
    )


async def _count(connection: Connection, statement: str) -> dict[str, StandingCount]:
    return {
        row["standing"]: StandingCount(
            row["count"], row["oldest_time"], row["oldest_organization_id"] or ""
        )
        for row in await connection.fetch(statement)
    }
