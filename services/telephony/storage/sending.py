"""What decides whether an organization may send."""

from dataclasses import dataclass
from datetime import datetime

from libs.database import Connection
from services.telephony.domain.values import ObservedState, Organization
from services.telephony.storage.organizations import to_organization

READ_SENDING_SCOPE = """
SELECT *, statement_timestamp() AS now, ARRAY(
    SELECT observed FROM subaccounts
    WHERE subaccounts.organization_id = $1 AND ($2::text = '' OR brand_id = $2)
) AS observed_states
FROM (SELECT $1::text AS organization_id) AS asked LEFT JOIN organizations USING (organization_id)
"""


@dataclass(frozen=True, slots=True)
class SendingScope:
    """What decides whether an organization may send with some of its subaccounts."""

    organization: Organization
    observed_states: tuple[ObservedState, ...]
    now: datetime


async def read_scope(connection: Connection, organization_id: str, brand_id: str) -> SendingScope:
    """Read an organization and its subaccounts of one brand, or of all; it may be unknown."""
    row = await connection.fetchrow(READ_SENDING_SCOPE, organization_id, brand_id)
    assert row is not None
    states = tuple(ObservedState(state) for state in row["observed_states"])
    return SendingScope(to_organization(row), states, row["now"])
