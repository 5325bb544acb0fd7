"""Repairs a wallet in the open: one entry names what was broken, and the chain starts anew."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, NoReturn

from libs.announcing.announcer import Announcer
from libs.announcing.ports import CurrentLevel, LevelKey
from libs.database import Connection, Database, DatabaseUnavailableError
from libs.levels import WalletLevel
from libs.logs import get_logger
from services.wallet.domain.chain import ChainKeys
from services.wallet.domain.commands import LiftFreeze
from services.wallet.domain.draft import Effect
from services.wallet.domain.findings import Finding
from services.wallet.domain.refusals import wallet_not_found
from services.wallet.domain.repairing import (
    Damage,
    RepairOrder,
    RepairProof,
    mend_payments,
    repair,
)
from services.wallet.domain.values import Entry, FreezeReason, Hold, Payment, Wallet
from services.wallet.operations.books import Books
from services.wallet.operations.engine import Engine
from services.wallet.operations.locks import name_lock_holder
from services.wallet.operations.verification import CHUNK, Verification, read_rest
from services.wallet.storage import entries, holds, payments, proofs, wallets


class Repaired(NamedTuple):
    """What a repair has written, and why; nothing of either if nothing was broken."""

    wallet: Wallet
    entries: tuple[Entry, ...] = ()
    findings: tuple[Finding, ...] = ()


class RehearsedError(Exception):
    """A repair that was carried out to see what it would write, and is to be rolled back."""

    def __init__(self, repaired: Repaired) -> None:
        super().__init__()
        self.repaired = repaired


class Repairs:
    """Carries out repairs, past the engine and under the same lock: see docs/decisions/0030."""

    def __init__(
        self,
        database: Database,
        verification: Verification,
        engine: Engine,
        announcer: Announcer[WalletLevel],
        keys: ChainKeys,
    ) -> None:
        self._database = database
        self._verification = verification
        self._engine = engine
        self._announcer = announcer
        self._keys = keys

    async def repair_wallet(self, organization_id: str, order: RepairOrder) -> Repaired:
        """Bring a wallet to what its entries come to, and lift INTEGRITY."""
        proof = await self._read_before(organization_id)
        repaired = await self._transact(self._repair_locked, proof, order)
        if not repaired.entries:
            return await self._lift_integrity(repaired.wallet, order)
        self._announcer.wake(LevelKey(organization_id))
        get_logger().warning(
            "wallet_repaired",
            organization_id=organization_id,
            sequence=repaired.entries[0].sequence,
            chain=(repaired.entries[0].chain or b"").hex(),
            actor=order.actor,
        )
        return repaired

    async def rehearse(self, organization_id: str, order: RepairOrder) -> Repaired:
        """Return what a repair would write: it is done, and rolled back."""
        proof = await self._read_before(organization_id)
        try:
            return await self._transact(self._rehearse_locked, proof, order)
        except RehearsedError as rehearsed:
            return rehearsed.repaired

    async def _read_before(self, organization_id: str) -> RepairProof:
        """Read most of it before the lock, so that the wallet is not held up by its past."""
        proof = RepairProof(self._keys, organization_id)
        await self._verification.read_parts(proof)
        await self._verification.sum_up(organization_id)
        return proof

    async def _transact(
        self,
        work: Callable[[Connection, RepairProof, RepairOrder], Awaitable[Repaired]],
        proof: RepairProof,
        order: RepairOrder,
    ) -> Repaired:
        try:
            return await self._database.transact(work, proof, order)
        except DatabaseUnavailableError:
            await name_lock_holder(self._database, proof.organization_id)
            raise

    async def _rehearse_locked(
        self, connection: Connection, proof: RepairProof, order: RepairOrder
    ) -> NoReturn:
        repaired = await self._repair_locked(connection, proof, order)
        if not repaired.entries:
            repaired = await self._would_lift_integrity(connection, repaired.wallet, order)
        open_yet = tuple(finding._replace(repaired=False) for finding in repaired.findings)
        raise RehearsedError(repaired._replace(findings=open_yet))

    async def _repair_locked(
        self, connection: Connection, proof: RepairProof, order: RepairOrder
    ) -> Repaired:
        organization_id = proof.organization_id
        was_there = await wallets.lock_wallet(connection, organization_id)
        known = self._verification.known_heads(organization_id)
        stored, missed = await read_rest(connection, proof, known)
        verdict = proof.conclude(stored, missed)
        row = was_there or await wallets.make_wallet(connection, organization_id)
        if not (row.wallet.currency_code or proof.sequence):
            raise wallet_not_found(organization_id)
        if verdict.is_clean:
            return Repaired(row.wallet.as_of(row.now))
        await _mend_holds(connection, proof.mend_holds(stored, row.now))
        due = await holds.next_expire_time(connection, organization_id, ())
        wallet = row.wallet._replace(next_hold_expire_time=due)
        payments_now = await _mend_payments(connection, proof, stored.payments)
        damage = Damage(proof, verdict, stored._replace(payments=payments_now))
        effect = repair(wallet, damage, order, row.now)
        return Repaired(
            effect.wallet.as_of(row.now),
            await self._write(connection, row.wallet, effect, proof),
            tuple(finding._replace(repaired=True) for finding in verdict.open.kept),
        )

    async def _write(
        self, connection: Connection, before: Wallet, effect: Effect, proof: RepairProof
    ) -> tuple[Entry, ...]:
        sealed = self._keys.seal(effect.entries, proof.chain.recomputed_head)
        wallet = effect.wallet
        await wallets.save_wallets(connection, [wallet])
        await proofs.append_repair(connection, sealed[0])
        if sealed[1:]:
            await entries.append_entries(connection, sealed[1:])
        if wallet.level_revision > before.level_revision:
            current = CurrentLevel(LevelKey(wallet.organization_id), wallet.level_revision)
            await self._announcer.mark(connection, [current])
        return sealed

    async def _lift_integrity(self, wallet: Wallet, order: RepairOrder) -> Repaired:
        """Lift what was set although, or as long as, something was broken."""
        written: tuple[Entry, ...] = ()
        for command in _lifts(wallet, order):
            effect = await self._engine.execute(wallet.organization_id, command)
            wallet, written = effect.wallet, (*written, *effect.entries)
        return Repaired(wallet, written)

    async def _would_lift_integrity(
        self, connection: Connection, wallet: Wallet, order: RepairOrder
    ) -> Repaired:
        name = wallet.organization_id
        row = await wallets.read_wallet(connection, name)
        assert row is not None
        books = Books({name: row}, self._keys)
        effects = [books.decide(name, command) for command in _lifts(wallet, order)]
        written = tuple(entry for effect in effects for entry in effect.entries)
        return Repaired(books.wallet_now(name), written)


def _lifts(wallet: Wallet, order: RepairOrder) -> list[LiftFreeze]:
    return [
        LiftFreeze(
            freeze.reason, freeze.reference_id, order.justification, order.actor, verified=True
        )
        for freeze in wallet.freezes
        if freeze.reason is FreezeReason.INTEGRITY
    ]


async def _mend_holds(connection: Connection, mended: Mapping[str, Hold]) -> None:
    written = list(mended.values())
    for start in range(0, len(written), CHUNK):
        await holds.save_holds(connection, written[start : start + CHUNK])


async def _mend_payments(
    connection: Connection, proof: RepairProof, levels: Mapping[str, Payment]
) -> Mapping[str, Payment]:
    """Return the levels as they are then."""
    mended = {level.payment_id: level for level in mend_payments(proof.paid_micros, levels)}
    by_keys = {(proof.organization_id, name): level for name, level in mended.items()}
    await payments.save_payments(connection, by_keys)
    return {**levels, **mended}
