"""Whether an organization may send: local, so that it is fast, and closed where in doubt."""

from libs.database import Database
from services.telephony.domain.decision import sending_blockers
from services.telephony.domain.values import Blocker
from services.telephony.storage import sending


class SendingOperations:
    """Advice for whoever is about to send."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_blockers(self, organization_id: str, brand_id: str) -> tuple[Blocker, ...]:
        """Return what forbids an organization to send, with one brand's subaccounts or with all."""
        scope = await self._database.run(sending.read_scope, organization_id, brand_id)
        return sending_blockers(scope.organization, scope.observed_states, scope.now)
