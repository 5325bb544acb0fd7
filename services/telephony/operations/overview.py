"""What people on call see of all subaccounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.counting import counted_once
from libs.database import Database
from libs.operating.operations import Operating
from libs.operating.values import LongTransaction
from services.telephony.domain.overview import TelephonyCounts
from services.telephony.storage.overview import count_all


@dataclass(frozen=True, slots=True)
class Overview:
    """How all stands."""

    counts: TelephonyCounts
    # None: nothing can tell.
    long_transactions: Sequence[LongTransaction] | None

    @property
    def time(self) -> datetime:
        """The moment of which it is."""
        return self.counts.time


class OverviewOperations:
    """Reads it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._operating = Operating(database)
        self.read = counted_once(self._read)

    async def _read(self) -> Overview:
        counts = await self._database.read_snapshot(count_all)
        return Overview(counts, await self._operating.find_long_transactions())
