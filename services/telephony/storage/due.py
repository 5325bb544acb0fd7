"""What is to be driven now."""

from libs.database import Connection
from services.telephony.domain.values import DueSearch

# What was tried in vain comes behind what was never tried, so that it starves nobody.
LIST_DUE = """
SELECT account_sid, organization_id
FROM (
    (
        SELECT * FROM subaccounts
        WHERE urgent = $1 AND attempt_count = 0 AND next_attempt_time <= now()
          AND (lease_end_time IS NULL OR lease_end_time <= now())
          AND organization_id <> ALL ($2::text[])
        ORDER BY next_attempt_time
        LIMIT $3
    )
    UNION ALL
    (
        SELECT * FROM subaccounts
        WHERE urgent = $1 AND attempt_count > 0 AND next_attempt_time <= now()
          AND (lease_end_time IS NULL OR lease_end_time <= now())
          AND organization_id <> ALL ($2::text[])
        ORDER BY next_attempt_time
        LIMIT $3
    )
) AS due
ORDER BY attempt_count > 0, next_attempt_time
LIMIT $3
"""


async def list_due(connection: Connection, search: DueSearch) -> dict[str, str]:
    """Return whose is each subaccount that is to be driven and that nobody drives."""
    rows = await connection.fetch(
        LIST_DUE, search.urgent, search.held_up_organization_ids, search.limit
    )
    return {row["account_sid"]: row["organization_id"] for row in rows}
