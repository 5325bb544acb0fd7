"""Checks wallets now and then: those that have changed soon after, all others in turn."""

from collections.abc import Awaitable

from libs.database import Connection, DatabaseUnavailableError
from libs.logs import get_logger
from services.wallet.domain.values import FreezeReason
from services.wallet.domain.verification import START, Verdict, WalletProof
from services.wallet.operations.alarm import Alarm
from services.wallet.operations.engine import Engine
from services.wallet.operations.heads import KnownHeads
from services.wallet.operations.reader import Reader
from services.wallet.operations.verification import Verification, conclude, read_on
from services.wallet.storage import proofs

# Of a wallet that is not known, or has moved on by more than that, so much is looked at.
RECENT_ENTRIES = 1_000
# What one round takes on: a busy ledger must not be kept busy by its proof.
ENTRIES_PER_ROUND = 10_000
# As much work as a wallet makes besides its entries.
WALLET_COST_ENTRIES = 30


class LedgerChecks:
    """Proves changes from where was proved before, and walks slowly over all ledgers."""

    def __init__(
        self,
        reader: Reader,
        verification: Verification,
        heads: KnownHeads,
        engine: Engine,
        alarm: Alarm,
    ) -> None:
        self._reader = reader
        self._verification = verification
        self._heads = heads
        self._engine = engine
        self._alarm = alarm
        self._due: dict[str, None] = {}
        self._walked_until = ""
        self._walked: WalletProof | None = None

    async def check(self) -> bool:
        """Do one round; the next one comes after a while."""
        self._due.update(dict.fromkeys(sorted(self._engine.changed_organizations())))
        await self._check_changed()
        await self._walk_on()
        for heads in self._heads.take_untold():
            get_logger().info("wallet_chain_heads", heads=heads)
        return False

    async def _check_changed(self) -> None:
        room = ENTRIES_PER_ROUND
        while self._due and room > 0:
            name = next(iter(self._due))
            del self._due[name]
            verdict = await self._act_on(name, self._prove_changed(name))
            room -= WALLET_COST_ENTRIES + (verdict.entry_count if verdict else 0)

    async def _prove_changed(self, organization_id: str) -> Verdict | None:
        verdict = await self._reader.read(self._prove_recent, organization_id)
        if verdict is None or verdict.is_clean:
            return verdict
        # What stood before may excuse it: a repair is sealed over all of it.
        return await self._verification.verify_wallet(organization_id)

    async def _prove_recent(self, connection: Connection, organization_id: str) -> Verdict | None:
        stored = await proofs.read_stored(connection, organization_id)
        if stored.wallet and FreezeReason.INTEGRITY in stored.wallet.freeze_reasons:
            return None
        last = stored.wallet.entry_count if stored.wallet else 0
        after = self._heads.get(organization_id)
        if after is None or last - after.sequence > RECENT_ENTRIES:
            before = last - RECENT_ENTRIES
            after = await proofs.read_standing(connection, organization_id, before) or START
        proof = self._verification.start_proof(organization_id, after)
        return await conclude(connection, proof, self._heads.head_of(organization_id))

    async def _walk_on(self) -> None:
        """Read on over all wallets: a part of a long ledger, or many short ones."""
        room = ENTRIES_PER_ROUND
        while room > 0 and (proof := self._walked or await self._start_next()):
            self._walked = proof
            read_before = proof.entry_count
            reading = self._reader.read(self._prove_some, proof, room)
            verdict = await self._act_on(proof.organization_id, reading)
            room -= WALLET_COST_ENTRIES + proof.entry_count - read_before
            if verdict is not None or room > 0:
                self._walked = None

    async def _start_next(self) -> WalletProof | None:
        name = await self._reader.ask(proofs.next_organization, self._walked_until)
        self._walked_until = name or ""
        return self._verification.start_proof(name) if name else None

    async def _prove_some(
        self, connection: Connection, proof: WalletProof, room: int
    ) -> Verdict | None:
        if not await read_on(connection, proof, room):
            return None
        return await conclude(connection, proof, self._heads.head_of(proof.organization_id))

    async def _freeze(self, broken: Verdict) -> None:
        name = broken.organization_id
        if await self._alarm.give(broken):
            # It may have been repaired while it was looked at.
            verdict = await self._verification.verify_wallet(name)
            if verdict.is_clean:
                await self._alarm.call_off(name)

    async def _act_on(
        self, organization_id: str, proving: Awaitable[Verdict | None]
    ) -> Verdict | None:
        """Whatever is the matter with one wallet, the others are looked at."""
        try:
            verdict = await proving
            if verdict is not None and verdict.is_clean:
                self._heads.remember(verdict)
            elif verdict is not None:
                await self._freeze(verdict)
        except DatabaseUnavailableError:
            self._due[organization_id] = None
            raise
        except Exception:  # noqa: BLE001 - logged whole; a defect must not end the checks
            get_logger().exception("ledger_check_defect", organization_id=organization_id)
            return None
        return verdict
