"""What is to be driven now."""

from libs.database import Connection
from services.telephony.domain.values import Due, DueSearch

# What was tried in vain comes behind what was never tried, so that it starves nobody.
LIST_DUE = """
SELECT account_sid, organization_id, wanted IS NOT DISTINCT FROM 'SUSPENDED' AS urgent
FROM subaccounts
WHERE next_attempt_time <= now()
  AND (lease_end_time IS NULL OR lease_end_time <= now())
  AND (wanted IS NOT DISTINCT FROM 'SUSPENDED') = $1
  AND account_sid <> ALL ($2::text[])
  AND organization_id <> ALL ($3::text[])
ORDER BY attempt_count > 0, next_attempt_time
LIMIT $4
"""


async def list_due(connection: Connection, search: DueSearch) -> list[Due]:
    """Return what is to be driven and is not being driven."""
    rows = await connection.fetch(
        LIST_DUE, search.urgent, search.busy_sids, search.held_up_organization_ids, search.limit
    )
    return [Due(row["account_sid"], row["organization_id"], row["urgent"]) for row in rows]
