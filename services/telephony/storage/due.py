"""What is to be driven now."""

from collections.abc import Mapping

from libs.database import Connection
from services.telephony.domain.values import DueSearch, Work

# What was tried in vain comes behind what was never tried, so that it starves nobody. While Twilio
# is in trouble nothing is to be driven.
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
WHERE (SELECT state FROM twilio_trouble) = 'OK'
ORDER BY attempt_count > 0, next_attempt_time
LIMIT $3
"""


LIST_AFTERMATHS_DUE = """
SELECT account_sid, organization_id FROM subaccounts
WHERE aftermath_due_time <= now() AND (lease_end_time IS NULL OR lease_end_time <= now())
  AND (SELECT state FROM twilio_trouble) = 'OK'
  AND organization_id <> ALL ($1::text[])
ORDER BY aftermath_due_time
LIMIT $2
"""


async def list_due(connection: Connection, search: DueSearch) -> dict[str, str]:
    """Return whose is each subaccount on which work is to be done and that nobody has."""
    left_aside, limit = search.held_up_organization_ids, search.limit
    if search.work is Work.AFTERMATH:
        rows = await connection.fetch(LIST_AFTERMATHS_DUE, left_aside, limit)
    else:
        urgent = search.work is Work.SUSPENSION
        rows = await connection.fetch(LIST_DUE, urgent, left_aside, limit)
    return {row["account_sid"]: row["organization_id"] for row in rows}


LIST_ASKED = "SELECT account_sid, driving_claim_number FROM subaccounts WHERE organization_id = $1"


async def list_asked(connection: Connection, organization_id: str) -> dict[str, int]:
    """Return the last claim of each of an organization's subaccounts that was to drive it."""
    rows = await connection.fetch(LIST_ASKED, organization_id)
    return {row["account_sid"]: row["driving_claim_number"] for row in rows}


# Whoever drove one when it was asked for had begun before.
LIST_WAITING = """
SELECT account_sid, NOT is_driven AND coalesce(next_attempt_time > now(), true) AS is_idle
FROM subaccounts
    JOIN unnest($1::text[], $2::bigint[]) AS asked (account_sid, last_claim_number)
    USING (account_sid),
    LATERAL (
        SELECT lease_end_time IS NOT NULL AND claim_number = driving_claim_number AS is_driven
    ) AS standing
WHERE driving_claim_number <= last_claim_number OR is_driven OR next_attempt_time <= now()
"""


async def list_waiting(connection: Connection, asked: Mapping[str, int]) -> dict[str, bool]:
    """Return what has not been driven since, after the claims given, and whether it is not due."""
    rows = await connection.fetch(LIST_WAITING, list(asked), list(asked.values()))
    return {row["account_sid"]: row["is_idle"] for row in rows}
