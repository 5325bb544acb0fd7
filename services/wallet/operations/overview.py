"""What people on call see of all wallets, and of the process they ask."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from libs.announcing.announcer import Announcer
from libs.announcing.ports import Backlog
from libs.counting import counted_once
from libs.database import Connection, Database
from libs.levels import WalletLevel
from libs.operating.operations import Operating
from libs.operating.values import LongTransaction
from services.wallet.domain.overview import LedgerCheck, RecentDebits, WalletCounts
from services.wallet.operations.checks import LedgerChecks
from services.wallet.operations.spending import Spending
from services.wallet.storage.overview import count_wallets


@dataclass(frozen=True, slots=True)
class Overview:
    """How all wallets stand, and how the checks and debits of this process do."""

    counts: WalletCounts
    announcements: Sequence[Backlog]
    ledger_check: LedgerCheck
    recent_debits: RecentDebits
    # None: nothing can tell.
    long_transactions: Sequence[LongTransaction] | None

    @property
    def time(self) -> datetime:
        """The moment of which it is."""
        return self.counts.time


class OverviewOperations:
    """Reads it."""

    def __init__(
        self,
        database: Database,
        announcer: Announcer[WalletLevel],
        checks: LedgerChecks,
        spending: Spending,
    ) -> None:
        self._database = database
        self._operating = Operating(database)
        self._announcer = announcer
        self._checks = checks
        self._spending = spending
        self.read = counted_once(self._read)

    async def _read(self) -> Overview:
        # Looked at though the database may be away: then most of all.
        recent_debits = self._spending.recent()
        counts, announcements = await self._database.read_snapshot(self._count)
        return Overview(
            counts=counts,
            announcements=announcements,
            ledger_check=self._checks.standing,
            recent_debits=recent_debits,
            long_transactions=await self._operating.find_long_transactions(),
        )

    async def _count(self, connection: Connection) -> tuple[WalletCounts, list[Backlog]]:
        counts = await count_wallets(connection)
        return counts, await self._announcer.read_backlogs(connection)
