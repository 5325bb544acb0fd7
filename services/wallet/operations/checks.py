"""Checks wallets now and then: those that have changed soon after, all others in turn."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple, TypeVar

from prometheus_client import CollectorRegistry, Gauge

from libs.database import Connection, DatabaseUnavailableError
from libs.logs import get_logger
from services.wallet.domain.findings import FindingKind
from services.wallet.domain.overview import LedgerCheck
from services.wallet.domain.values import FreezeReason
from services.wallet.domain.verification import Verdict, WalletProof
from services.wallet.operations.alarm import Alarm
from services.wallet.operations.engine import Engine
from services.wallet.operations.heads import KnownHeads
from services.wallet.operations.reader import Reader
from services.wallet.operations.verification import PART, Verification, conclude, read_on
from services.wallet.storage import proofs, wallets

# Of a wallet that is not known, or has moved on by more than a round takes on, so much is looked at
# at once; what stands before is left to the walk.
RECENT_ENTRIES = 1_000
# So many wallets with strange seals in one round say more about the keys than about the wallets.
DOUBTED_FROM = 5
# As much work as a wallet makes besides its entries.
WALLET_COST_ENTRIES = 30

ResultT = TypeVar("ResultT")


class Walked(NamedTuple):
    """The wallet that the walk has come to.

    It is judged when what was there at the beginning is read: it may grow faster than it is read.
    """

    proof: WalletProof
    until: int


class LedgerChecks:
    """Proves changes from where was proved before, and walks slowly over all ledgers.

    Each of both takes on so many entries in a round: a busy ledger must not be kept busy by its
    proof.
    """

    def __init__(
        self,
        reader: Reader,
        verification: Verification,
        heads: KnownHeads,
        engine: Engine,
        alarm: Alarm,
        *,
        entries_per_round: int,
        registry: CollectorRegistry,
        clock: Callable[[], datetime],
    ) -> None:
        self._reader = reader
        self._verification = verification
        self._heads = heads
        self._engine = engine
        self._alarm = alarm
        self._entries_per_round = entries_per_round
        self._due: dict[str, None] = {}
        self._broken: dict[str, Verdict] = {}
        self._walked_until = ""
        self._walked: Walked | None = None
        self._clock = clock
        self._is_well = True
        self._standing = LedgerCheck()
        self._show(registry)

    def _show(self, registry: CollectorRegistry) -> None:
        def show(name: str, documentation: str, value: Callable[[], float]) -> None:
            gauge = Gauge(f"tollgate_ledger_check_{name}", documentation, registry=registry)
            gauge.set_function(value)

        show(
            "last_round_time_seconds",
            "When a round of the checks ended well, in seconds since 1970; 0 if none has yet.",
            lambda: _seconds(self._standing.last_round_time),
        )
        show(
            "last_walk_time_seconds",
            "When the walk over all wallets came to its end, in seconds since 1970; 0 if not yet.",
            lambda: _seconds(self._standing.last_walk_time),
        )
        show(
            "doubts_keys",
            "1 while so many wallets have strange seals that this process's keys are doubted.",
            lambda: self._standing.doubts_its_keys,
        )

    @property
    def standing(self) -> LedgerCheck:
        """How the checks stand in this process."""
        return self._standing

    async def check(self) -> bool:
        """Do one round; the next one comes after a while."""
        self._is_well = True
        self._due.update(dict.fromkeys(sorted(self._engine.changed_organizations())))
        await self._check_changed()
        await self._walk_on()
        await self._give_alarm()
        for heads in self._heads.take_untold():
            get_logger().info("wallet_chain_heads", heads=heads)
        if self._is_well:
            self._standing = replace(self._standing, last_round_time=self._clock())
        return False

    async def _check_changed(self) -> None:
        room = self._entries_per_round
        for name in list(self._due):
            if room <= 0:
                break
            del self._due[name]
            verdict = await self._look_at(name, self._prove_changed(name))
            room -= WALLET_COST_ENTRIES + (verdict.entry_count if verdict else 0)

    async def _prove_changed(self, organization_id: str) -> Verdict | None:
        proof = await self._reader.read(self._start_recent, organization_id)
        if proof is None:
            return None
        heads = self._heads.head_of(organization_id)
        verdict = await self._verification.prove(proof, heads)
        if verdict.is_clean or proof.is_whole:
            return verdict
        # What stood before may excuse it: a repair is sealed over all of it.
        return await self._verification.verify_wallet(organization_id)

    async def _start_recent(
        self, connection: Connection, organization_id: str
    ) -> WalletProof | None:
        """Go on from what is proved; there is nothing to say of a wallet that is frozen already."""
        row = await wallets.read_wallet(connection, organization_id)
        if row and FreezeReason.INTEGRITY in row.wallet.freeze_reasons:
            return None
        last = row.wallet.entry_count if row else 0
        proved = self._heads.get(organization_id)
        if proved is None or last - proved.sequence > self._entries_per_round:
            proved = await proofs.read_standing(connection, organization_id, last - RECENT_ENTRIES)
        return self._verification.start_proof(organization_id, proved)

    async def _walk_on(self) -> None:
        """Read on over all wallets: a part of a long ledger, or many short ones."""
        room = self._entries_per_round
        while room > 0 and (walked := self._walked or await self._start_next()):
            self._walked = None
            proof, read_before = walked.proof, walked.proof.entry_count
            reading = self._reader.read(self._prove_part, walked, min(room, PART))
            await self._look_at(proof.organization_id, reading)
            room -= WALLET_COST_ENTRIES + proof.entry_count - read_before

    async def _start_next(self) -> Walked | None:
        name = await self._reader.ask(proofs.next_organization, self._walked_until)
        self._walked_until = name or ""
        if name is None:
            self._standing = replace(self._standing, last_walk_time=self._clock())
            return None
        until = await self._reader.ask(proofs.last_sequence, name)
        return Walked(self._verification.start_proof(name), until)

    async def _prove_part(
        self, connection: Connection, walked: Walked, limit: int
    ) -> Verdict | None:
        proof = walked.proof
        name = proof.organization_id
        if await read_on(connection, proof, limit):
            return await conclude(connection, proof, self._heads.head_of(name))
        if proof.sequence >= walked.until or await _stays_broken(connection, proof):
            row = await wallets.read_wallet(connection, name)
            return proof.judge_so_far(row.wallet if row else None)
        self._walked = walked
        return None

    async def _look_at(
        self, organization_id: str, proving: Awaitable[Verdict | None]
    ) -> Verdict | None:
        verdict = await self._contained(organization_id, proving)
        if verdict is not None and verdict.is_clean:
            self._heads.remember(verdict)
        elif verdict is not None:
            self._broken[organization_id] = verdict
        return verdict

    async def _give_alarm(self) -> None:
        """Freeze what is broken.

        Many wallets at once in which nothing is wrong but the seals have rather been sealed with a
        key that this process does not know: to freeze them all would be the greater damage.
        """
        only_seals = {name for name, each in self._broken.items() if _is_about_seals(each)}
        is_doubted = len(only_seals) >= DOUBTED_FROM
        self._standing = replace(self._standing, doubts_its_keys=is_doubted)
        if is_doubted:
            get_logger().critical("ledger_check_doubts_its_keys", wallets=len(only_seals))
        for name in list(self._broken):
            verdict = self._broken.pop(name)
            if is_doubted and name in only_seals:
                self._alarm.tell(verdict)
                self._due[name] = None
            else:
                await self._contained(name, self._freeze(verdict))

    async def _freeze(self, broken: Verdict) -> None:
        name = broken.organization_id
        if await self._alarm.give(broken):
            # It may have been repaired while it was looked at.
            verdict = await self._verification.verify_wallet(name)
            if verdict.is_clean:
                await self._alarm.call_off(name)

    async def _contained(self, organization_id: str, work: Awaitable[ResultT]) -> ResultT | None:
        """Whatever is the matter with one wallet, the others are looked at, and it again."""
        try:
            return await work
        except DatabaseUnavailableError:
            self._due[organization_id] = None
            raise
        except Exception:  # noqa: BLE001 - logged whole; a defect must not end the checks
            get_logger().exception("ledger_check_defect", organization_id=organization_id)
            self._due[organization_id] = None
            self._is_well = False
            return None


def _seconds(time: datetime | None) -> float:
    return time.timestamp() if time else 0.0


def _is_about_seals(verdict: Verdict) -> bool:
    return {*verdict.open.counts} == {FindingKind.ENTRY_CHANGED}


async def _stays_broken(connection: Connection, proof: WalletProof) -> bool:
    """Tell whether something is wrong that no later repair can excuse."""
    if proof.is_stored_otherwise or not proof.is_broken_so_far:
        return proof.is_stored_otherwise
    return not await proofs.has_repair_after(connection, proof.organization_id, proof.sequence)
