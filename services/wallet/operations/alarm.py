"""What happens to a wallet whose ledger does not prove itself: it is frozen, loudly."""

from prometheus_client import CollectorRegistry, Counter

from libs.announcing.announcer import Announcer
from libs.announcing.ports import CurrentLevel, LevelKey
from libs.database import Connection, Database
from libs.errors import DomainError, OverloadedError
from libs.levels import WalletLevel
from libs.logs import get_logger
from services.wallet.domain.commands import LiftFreeze, SetFreeze
from services.wallet.domain.findings import FindingKind
from services.wallet.domain.freezes import freeze_without_entry
from services.wallet.domain.values import FreezeReason
from services.wallet.domain.verification import Verdict
from services.wallet.operations.engine import Engine
from services.wallet.storage import wallets

ACTOR = "ledger_check"


class Alarm:
    """Freezes with reason INTEGRITY."""

    def __init__(
        self,
        engine: Engine,
        database: Database,
        announcer: Announcer[WalletLevel],
        registry: CollectorRegistry,
    ) -> None:
        self._engine = engine
        self._database = database
        self._announcer = announcer
        self._findings = Counter(
            "tollgate_ledger_check_findings",
            "What periodic checks have found wrong with wallets, by kind.",
            ["kind"],
            registry=registry,
        )
        # The first of a kind is seen as one more only if there were none before.
        for kind in FindingKind:
            self._findings.labels(kind)

    def tell(self, verdict: Verdict) -> None:
        """Tell of a wallet that is broken."""
        first = verdict.open.kept[0]
        get_logger().critical(
            "ledger_check_failed",
            organization_id=verdict.organization_id,
            kinds=sorted(str(kind) for kind in verdict.open.counts),
            findings=len(verdict.open),
            sequence=first.sequence,
            detail=first.detail,
        )
        for kind, count in verdict.open.counts.items():
            self._findings.labels(kind).inc(count)

    async def give(self, verdict: Verdict) -> bool:
        """Tell of a wallet that is broken, and freeze it; answer whether that was needed."""
        self.tell(verdict)
        if verdict.wallet is None or FreezeReason.INTEGRITY in verdict.wallet.freeze_reasons:
            return False
        first = verdict.open.kept[0]
        note = f"{first.kind} at entry {first.sequence}" if first.sequence else str(first.kind)
        command = SetFreeze(FreezeReason.INTEGRITY, "", note, ACTOR)
        await self._freeze(verdict.organization_id, command)
        return True

    async def call_off(self, organization_id: str) -> None:
        """Lift the freeze from a wallet that has been found clean since."""
        note = "has been repaired"
        command = LiftFreeze(FreezeReason.INTEGRITY, "", note, ACTOR, verified=True)
        await self._engine.execute(organization_id, command)

    async def _freeze(self, organization_id: str, command: SetFreeze) -> None:
        try:
            await self._engine.execute(organization_id, command)
        except Exception as error:
            # The ledger may be too broken to be appended to, or too many may wait for the wallet.
            if isinstance(error, DomainError) and not isinstance(error, OverloadedError):
                raise
            get_logger().warning("ledger_takes_no_entry", exc_info=error)
            await self._database.transact(self._freeze_row, organization_id, command)
            self._announcer.wake(LevelKey(organization_id))

    async def _freeze_row(
        self, connection: Connection, organization_id: str, command: SetFreeze
    ) -> None:
        row = await wallets.lock_wallet(connection, organization_id)
        if row is None:
            return
        frozen = freeze_without_entry(row.wallet, command, row.now)
        await wallets.save_wallets(connection, [frozen])
        current = CurrentLevel(LevelKey(organization_id), frozen.level_revision)
        await self._announcer.mark(connection, [current])
