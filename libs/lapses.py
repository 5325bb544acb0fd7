"""Organizations that time alone has changed, as observers of levels keep them."""

from dataclasses import dataclass
from datetime import datetime

from libs.database import Connection

LIST_LAPSED = """
SELECT organization_id, reevaluate_time FROM organizations
WHERE reevaluate_time <= now()
  AND ($1::timestamptz IS NULL OR (reevaluate_time, organization_id) > ($1, $2::text))
ORDER BY reevaluate_time, organization_id
LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class Lapsed:
    """An organization that time has changed, and its place in their list."""

    organization_id: str = ""
    reevaluate_time: datetime | None = None


async def list_lapsed(connection: Connection, after: Lapsed, limit: int) -> list[Lapsed]:
    """Return, from a place on, organizations that time alone has changed."""
    rows = await connection.fetch(LIST_LAPSED, after.reevaluate_time, after.organization_id, limit)
    return [Lapsed(row["organization_id"], row["reevaluate_time"]) for row in rows]
