"""The one write path of an organization: lock it, decide, and want what follows."""

from dataclasses import dataclass
from datetime import datetime

from libs.database import Connection
from services.telephony.domain.commands import Command
from services.telephony.domain.decision import decide, wanted_state
from services.telephony.domain.values import Organization
from services.telephony.storage import organizations, subaccounts


@dataclass(frozen=True, slots=True)
class Settlement:
    """An organization after a command, and how many subaccounts are wanted otherwise since."""

    organization: Organization
    changed_count: int
    now: datetime


async def settle(connection: Connection, organization_id: str, command: Command) -> Settlement:
    """Lock the organization, carry out the command, and want of its subaccounts what follows."""
    await organizations.make(connection, organization_id)
    row = await organizations.lock(connection, organization_id)
    organization = decide(row.organization, command, row.now)
    if organization != row.organization:
        await organizations.save(connection, organization)
    wanted = wanted_state(organization, row.now)
    changed_count = await subaccounts.want(connection, organization_id, wanted, row.now)
    return Settlement(organization, changed_count, row.now)
