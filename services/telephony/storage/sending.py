"""What decides whether organizations may send."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from libs.database import Connection, Record
from services.telephony.domain.trouble import TwilioState
from services.telephony.domain.values import ObservedState, Organization
from services.telephony.storage.organizations import to_organization


class Sender(NamedTuple):
    """Who wants to send: an organization with one brand's subaccounts, or with all."""

    organization_id: str
    brand_id: str


READ_SCOPES = """
SELECT organizations.*, asked.organization_id, statement_timestamp() AS now,
    (SELECT state FROM twilio_trouble) AS twilio_state, ARRAY(
    SELECT observed FROM subaccounts
    WHERE subaccounts.organization_id = asked.organization_id
      AND (asked.brand_id = '' OR subaccounts.brand_id = asked.brand_id)
) AS observed_states
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (organization_id, brand_id, number)
LEFT JOIN organizations ON organizations.organization_id = asked.organization_id
ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class SendingScope:
    """What decides whether an organization may send with some of its subaccounts."""

    organization: Organization
    observed_states: tuple[ObservedState, ...]
    twilio_state: TwilioState
    now: datetime


async def read_scopes(connection: Connection, senders: Sequence[Sender]) -> list[SendingScope]:
    """Read what is known of each, in their order; nothing may be known of an organization."""
    rows = await connection.fetch(
        READ_SCOPES,
        [sender.organization_id for sender in senders],
        [sender.brand_id for sender in senders],
    )
    return [_to_scope(row) for row in rows]


def _to_scope(row: Record) -> SendingScope:
    states = tuple(ObservedState(state) for state in row["observed_states"])
    return SendingScope(to_organization(row), states, TwilioState(row["twilio_state"]), row["now"])
