"""What people on call see of all events and subscriptions, and of the process they ask."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.announcing.ports import Backlog
from libs.counting import counted_once
from libs.database import Connection, Database
from libs.operating.operations import Operating
from libs.operating.values import LongTransaction
from services.billing_gateway.domain.overview import GatewayCounts
from services.billing_gateway.domain.values import Provider
from services.billing_gateway.operations.intake import Intake
from services.billing_gateway.operations.levels import Levels
from services.billing_gateway.storage.overview import count_all


@dataclass(frozen=True, slots=True)
class Overview:
    """How all stands, and what providers that are set up have been refused of late, here."""

    counts: GatewayCounts
    announcements: Sequence[Backlog]
    recently_refused: Mapping[Provider, int]
    # None: nothing can tell.
    long_transactions: Sequence[LongTransaction] | None

    @property
    def time(self) -> datetime:
        """The moment of which it is."""
        return self.counts.time


class OverviewOperations:
    """Reads it."""

    def __init__(
        self, database: Database, levels: Levels, intake: Intake, set_up: Collection[Provider]
    ) -> None:
        self._database = database
        self._operating = Operating(database)
        self._announcers = (levels.subscription_announcer, levels.payment_announcer)
        self._intake = intake
        self._set_up = [provider for provider in Provider if provider in set_up]
        self.read = counted_once(self._read)

    async def _read(self) -> Overview:
        # Looked at though the database may be away.
        refused = {provider: self._intake.recently_refused(provider) for provider in self._set_up}
        counts, announcements = await self._database.read_snapshot(self._count)
        found = await self._operating.find_long_transactions()
        return Overview(counts, announcements, refused, found)

    async def _count(self, connection: Connection) -> tuple[GatewayCounts, list[Backlog]]:
        counts = await count_all(connection)
        backlogs: list[Backlog] = []
        for announcer in self._announcers:
            backlogs += await announcer.read_backlogs(connection)
        return counts, backlogs
