"""Repairs a wallet in the open: one entry names what was broken, and the chain starts anew."""

from collections.abc import Mapping
from typing import NamedTuple

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
from services.wallet.operations.engine import Engine
from services.wallet.operations.locks import name_lock_holder
from services.wallet.operations.verification import CHUNK, Verification, read_rest
from services.wallet.storage import entries, holds, payments, proofs, wallets


class Repaired(NamedTuple):
    """What a repair has written, and why; nothing of either if nothing was broken."""

    wallet: Wallet
    entries: tuple[Entry, ...] = ()
    findings: tuple[Finding, ...] = ()


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
        # Most of it is read before the lock, so that the wallet is not held up by its past.
        proof = RepairProof(self._keys, organization_id)
        await self._verification.read_parts(proof)
        await self._verification.sum_up(organization_id)
        try:
            repaired = await self._database.transact(self._repair_locked, proof, order)
        except DatabaseUnavailableError:
            await name_lock_holder(self._database, organization_id)
            raise
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
        for freeze in wallet.freezes:
            if freeze.reason is FreezeReason.INTEGRITY:
                command = LiftFreeze(
                    freeze.reason,
                    freeze.reference_id,
                    order.justification,
                    order.actor,
                    verified=True,
                )
                effect = await self._engine.execute(wallet.organization_id, command)
                wallet, written = effect.wallet, (*written, *effect.entries)
        return Repaired(wallet, written)


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
