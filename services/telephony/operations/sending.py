"""Whether an organization may send: local, so that it is fast, and closed where in doubt."""

from collections.abc import Sequence
from dataclasses import dataclass

from libs.database import Database
from libs.riding import Riding, RidingLimits
from services.telephony.domain.decision import sending_blockers
from services.telephony.domain.trouble import trouble_blockers
from services.telephony.domain.values import Blocker, Organization
from services.telephony.storage import sending
from services.telephony.storage.sending import Sender, SendingScope

LIMITS = RidingLimits()


@dataclass(frozen=True, slots=True)
class Sight:
    """An organization, and what forbids it to send."""

    organization: Organization
    blockers: tuple[Blocker, ...]


class SendingOperations:
    """Advice for whoever is about to send; those who ask at the same time share one query."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._riding = Riding(self._find_blockers_of_all, LIMITS)

    async def find_blockers(self, organization_id: str, brand_id: str) -> tuple[Blocker, ...]:
        """Return what forbids an organization to send, with one brand's subaccounts or with all."""
        return await self._riding.ride(Sender(organization_id, brand_id))

    async def look(self, organization_id: str) -> Sight:
        """Return what forbids an organization to send with any of its subaccounts, and why."""
        [scope] = await self._database.run(sending.read_scopes, [Sender(organization_id, "")])
        return Sight(scope.organization, _blockers_in(scope))

    async def _find_blockers_of_all(self, senders: Sequence[Sender]) -> list[tuple[Blocker, ...]]:
        different = list(dict.fromkeys(senders))
        scopes = await self._database.run(sending.read_scopes, different)
        found = {
            sender: _blockers_in(scope) for sender, scope in zip(different, scopes, strict=True)
        }
        return [found[sender] for sender in senders]


def _blockers_in(scope: SendingScope) -> tuple[Blocker, ...]:
    return (
        *sending_blockers(scope.organization, scope.observed_states, scope.now),
        *trouble_blockers(scope.twilio_state),
    )
