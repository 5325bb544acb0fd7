"""What watchers see next."""

from libs.database import Connection
from services.campaign.domain.settling import settle
from services.campaign.domain.watching import Progress, Sight
from services.campaign.storage.rows import to_organization, to_stored_campaign

# One statement, so that the campaigns are seen at the same moment as what blocks them.
LOOK = """
SELECT page.*, organizations.*, emergency_stop AS stop, statement_timestamp() AS now,
    wanted.organization_id
FROM (SELECT $1::text AS organization_id) AS wanted
CROSS JOIN emergency_stop
LEFT JOIN organizations USING (organization_id)
LEFT JOIN LATERAL (
    SELECT * FROM campaigns
    WHERE organization_id = wanted.organization_id
      AND revision > $2 AND (revision > $3 OR state <> 'COMPLETED')
    ORDER BY revision
    LIMIT $4
) AS page ON true
ORDER BY page.revision
"""


async def look(
    connection: Connection, organization_id: str, progress: Progress, limit: int
) -> Sight:
    """Return what comes next for a watcher, and how its organization stands."""
    rows = await connection.fetch(
        LOOK, organization_id, progress.revision, progress.revision_ever, limit
    )
    organization, now = to_organization(rows[0]), rows[0]["now"]
    found = [row for row in rows if row["campaign_id"] is not None]
    return Sight(
        organization,
        [settle(to_stored_campaign(row), organization, now) for row in found],
        found[-1]["revision"] if found else 0,
        len(found) == limit,
        now,
    )
