"""Verifies ledgers, whatever is going on: each wallet is judged as it is at one moment."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import NamedTuple, TypeAlias

from libs.database import Connection, DatabaseUnavailableError
from libs.errors import DomainError, ErrorReason
from libs.logs import get_logger
from services.wallet.domain.chain import ChainKeys
from services.wallet.domain.chain_reader import are_strange
from services.wallet.domain.commands import LiftFreeze
from services.wallet.domain.draft import Effect
from services.wallet.domain.findings import Finding, FindingKind
from services.wallet.domain.refusals import wallet_not_found
from services.wallet.domain.standing import Head, Standing, Stored, compare_heads
from services.wallet.domain.values import FreezeReason, Hold
from services.wallet.domain.verification import Verdict, WalletProof
from services.wallet.operations.engine import Engine
from services.wallet.operations.heads import KnownHeads
from services.wallet.operations.reader import Reader
from services.wallet.storage import holds, payments, proofs, wallets

PROGRESS_INTERVAL_SECONDS = 0.5
# A key that is in use has sealed some of these, whoever has tampered with others.
NEWEST_WALLETS, NEWEST_ENTRIES = 20, 20
# So few that proving them between two reads holds nobody else up.
CHUNK = 500
# What is read at one moment; well under a second.
PART = 10_000


class StrangeKeysError(Exception):
    """The keys are not those of this ledger."""


class Progress(NamedTuple):
    """How far a verification has come."""

    wallet_count: int
    verified_wallets: int
    verified_entries: int


class Summary(NamedTuple):
    """The end of a verification."""

    verified_wallets: int
    verified_entries: int
    finding_count: int
    repaired_count: int


Report: TypeAlias = Progress | Finding | Summary


class Verification:
    """Reads wallets' ledgers and finds what is wrong with them. It changes nothing."""

    def __init__(self, reader: Reader, engine: Engine, keys: ChainKeys, heads: KnownHeads) -> None:
        self._reader = reader
        self._engine = engine
        self._keys = keys
        self._heads = heads

    async def require_own_keys(self) -> None:
        """Refuse to go on with keys that have sealed nothing of what was written last.

        Whatever were written with them would not prove itself. Where the database is away, nobody
        can tell.
        """
        with suppress(DatabaseUnavailableError):
            newest = await self._reader.ask(proofs.read_newest, NEWEST_WALLETS, NEWEST_ENTRIES)
            if are_strange(self._keys, newest):
                get_logger().critical("chain_keys_are_strange", wallets=len(newest))
                raise StrangeKeysError("none of the keys has sealed any of the newest entries")

    def start_proof(self, organization_id: str, proved: Standing | None = None) -> WalletProof:
        """Return a proof that has read nothing yet: of the whole, or of what is not proved yet."""
        return WalletProof(self._keys, organization_id, proved)

    def known_heads(self, organization_id: str) -> list[Head]:
        """Return what this process knows of a wallet's entries."""
        return self._heads.head_of(organization_id)

    async def verify_wallet(self, organization_id: str) -> Verdict:
        """Prove a wallet from its first entry on."""
        proof = self.start_proof(organization_id)
        return await self.prove(proof, self.known_heads(organization_id))

    async def prove(self, proof: WalletProof, heads: Sequence[Head] = ()) -> Verdict:
        """Let a proof read on to the end, and judge.

        One wallet that cannot be read keeps no other from being proved.
        """
        try:
            await self.read_parts(proof)
            return await self._reader.read(conclude, proof, heads)
        except DatabaseUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever stands there: it is not what it must be
            name = proof.organization_id
            get_logger().exception("wallet_is_unreadable", organization_id=name)
            detail = f"what is stored cannot be read: {type(error).__name__}, see the log"
            unreadable = Finding(name, 0, FindingKind.WALLET_DIFFERS, detail)
            return proof.judge_so_far(None, [unreadable])

    async def read_parts(self, proof: WalletProof) -> None:
        """Let a proof read what is there now, each part as it is at a moment of its own.

        Entries do not change. One snapshot of a long ledger would keep PostgreSQL from clearing
        away what all others have done meanwhile.
        """
        until = await self._reader.ask(proofs.last_sequence, proof.organization_id)
        while proof.sequence < until:
            if await self._reader.read(read_on, proof, PART):
                return

    async def sum_up(self, organization_id: str) -> None:
        """Let the database sum up what is there now, so that a repair need not under its lock."""
        await self._reader.ask(proofs.sum_up_ledger, organization_id)

    async def lift_freeze(self, organization_id: str, command: LiftFreeze) -> Effect:
        """Lift a freeze; INTEGRITY only from a wallet that proves itself."""
        if command.reason is FreezeReason.INTEGRITY:
            verdict = await self.verify_wallet(organization_id)
            if not verdict.is_clean:
                raise DomainError(
                    ErrorReason.INVALID_STATE,
                    "the wallet does not prove itself; see VerifyLedger and RepairWallet",
                    findings=len(verdict.open),
                )
            command = command._replace(verified=True)
        return await self._engine.execute(organization_id, command)

    async def verify_ledger(
        self, organization_id: str, heads: Iterable[Head]
    ) -> AsyncIterator[Report]:
        """Verify one wallet, or all for an empty id: progress and findings, then the summary.

        Heads of other wallets are left aside: whoever has the whole log may tell all that it has.
        """
        told = _by_organization((*heads, *self._heads.all()), organization_id)
        if organization_id and not told:
            await self._reader.read(_require_known, organization_id)
        is_all = not organization_id
        tally = Tally(await self._reader.ask(proofs.count_wallets) if is_all else 1)
        yield tally.progress()
        async for name in self._organizations(organization_id, told):
            proof = self.start_proof(name)
            reading = asyncio.create_task(self.prove(proof, told.pop(name, ())))
            try:
                while not await _ends_soon(reading):
                    yield tally.progress(proof)
                verdict = reading.result()
            finally:
                # Whoever asked may be gone.
                reading.cancel()
            for finding in tally.take(verdict):
                yield finding
            if tally.is_due():
                yield tally.progress()
        yield tally.summary()

    async def _organizations(
        self, organization_id: str, told: Mapping[str, Sequence[Head]]
    ) -> AsyncIterator[str]:
        if organization_id:
            yield organization_id
            return
        name: str | None = ""
        while name := await self._reader.ask(proofs.next_organization, name or ""):
            yield name
        # Of these nothing is there any more, but it was logged that there was.
        for name in tuple(told):
            yield name


async def conclude(connection: Connection, proof: WalletProof, heads: Sequence[Head]) -> Verdict:
    """Read what a proof has not read yet, and judge."""
    return proof.conclude(*await read_rest(connection, proof, heads))


async def read_rest(
    connection: Connection, proof: WalletProof, heads: Sequence[Head]
) -> tuple[Stored, list[Finding]]:
    """Let a proof read to the end; return what it is to be compared with, and what is missed."""
    organization_id = proof.organization_id
    await read_on(connection, proof)
    standing = [head for head in heads if not head.is_given_up_by(proof.repair_time)]
    # This process may have told whoever tells it.
    held = {(head.sequence, head.chain): head for head in standing}
    sequences = [sequence for sequence, _ in held]
    chains = await proofs.read_chains(connection, organization_id, sequences) if held else {}
    stored = await _read_stored(connection, proof)
    return stored, list(compare_heads(held.values(), chains, proof.sequence))


async def _read_stored(connection: Connection, proof: WalletProof) -> Stored:
    organization_id = proof.organization_id
    row = await wallets.read_wallet(connection, organization_id)
    untold = await proofs.list_untold_holds(connection, organization_id) if proof.is_whole else ()
    return Stored(
        row.wallet if row else None,
        await payments.list_payments(connection, organization_id),
        await proofs.sum_on_hold(connection, organization_id),
        await _find_holds(connection, organization_id, proof.holds.open),
        await _find_holds(connection, organization_id, untold),
    )


async def read_on(connection: Connection, proof: WalletProof, limit: int | None = None) -> bool:
    """Let a proof read on; tell whether it has come to the last entry."""
    read = 0
    while limit is None or read < limit:
        chunk = await proofs.read_chunk(connection, proof.organization_id, proof.sequence, CHUNK)
        proof.read(chunk)
        over = dict(proof.holds.over)
        proof.compare_over(over, await _find_holds(connection, proof.organization_id, over))
        read += len(chunk)
        if len(chunk) < CHUNK:
            return True
    return False


async def _find_holds(
    connection: Connection, organization_id: str, reference_ids: Iterable[str]
) -> dict[str, Hold]:
    """Return holds by their references, read so many at a time."""
    found: dict[str, Hold] = {}
    wanted = sorted(reference_ids)
    for start in range(0, len(wanted), CHUNK):
        keys = [(organization_id, reference_id) for reference_id in wanted[start : start + CHUNK]]
        rows = await holds.find_holds(connection, keys)
        found |= {reference_id: hold for (_, reference_id), hold in rows.items()}
    return found


async def _require_known(connection: Connection, organization_id: str) -> None:
    row = await wallets.read_wallet(connection, organization_id)
    is_open = row is not None and row.wallet.currency_code is not None
    if not is_open and not await proofs.read_chunk(connection, organization_id, 0, 1):
        raise wallet_not_found(organization_id)


class Tally:
    """Counts while a ledger is verified."""

    def __init__(self, wallet_count: int) -> None:
        self._wallet_count = wallet_count
        self._verified_wallets = 0
        self._verified_entries = 0
        self._finding_count = 0
        self._repaired_count = 0
        self._told_time = monotonic()

    def progress(self, under_way: WalletProof | None = None) -> Progress:
        """Tell how far it has come, with a wallet that is not done yet."""
        self._told_time = monotonic()
        more = under_way.entry_count if under_way else 0
        return Progress(self._wallet_count, self._verified_wallets, self._verified_entries + more)

    def is_due(self) -> bool:
        """Tell whether nothing was told for a while."""
        return monotonic() - self._told_time >= PROGRESS_INTERVAL_SECONDS

    def take(self, verdict: Verdict) -> Iterator[Finding]:
        """Count a wallet in, and tell what was found."""
        self._verified_wallets += 1
        self._verified_entries += verdict.entry_count
        self._finding_count += len(verdict.open)
        self._repaired_count += len(verdict.repaired)
        yield from verdict.repaired.kept
        yield from verdict.open.kept

    def summary(self) -> Summary:
        """Tell how it ended."""
        return Summary(
            self._verified_wallets,
            self._verified_entries,
            self._finding_count,
            self._repaired_count,
        )


async def _ends_soon(task: asyncio.Task[Verdict]) -> bool:
    done, _ = await asyncio.wait((task,), timeout=PROGRESS_INTERVAL_SECONDS)
    return bool(done)


def _by_organization(heads: Iterable[Head], organization_id: str) -> dict[str, list[Head]]:
    """Group heads: those of one organization, or of all for an empty id."""
    grouped: dict[str, list[Head]] = {}
    for head in heads:
        if organization_id in ("", head.organization_id):
            grouped.setdefault(head.organization_id, []).append(head)
    return grouped
