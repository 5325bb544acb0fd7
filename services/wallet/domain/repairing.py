"""Repair: a broken wallet is brought to what its entries, as they stand, come to."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from services.wallet.domain.chain import ChainKeys
from services.wallet.domain.draft import MICROS_MAX, Cause, Draft, Effect
from services.wallet.domain.freezes import lift_freeze, set_freeze
from services.wallet.domain.funds import Funds
from services.wallet.domain.standing import FROZEN_WITHOUT_ENTRY, Stored, compare_payments
from services.wallet.domain.told_holds import ToldHold, differing
from services.wallet.domain.values import (
    EntryType,
    Freeze,
    FreezeReason,
    Hold,
    HoldState,
    Payment,
    Wallet,
)
from services.wallet.domain.verification import Verdict, WalletProof, mended_paid

DESCRIPTION_BYTES_MAX = 1000


class RepairOrder(NamedTuple):
    """Who repairs, and why."""

    justification: str
    actor: str


class RepairProof(WalletProof):
    """A proof that keeps how holds should stand that do not stand so."""

    __slots__ = ("_differing",)

    def __init__(self, keys: ChainKeys, organization_id: str) -> None:
        super().__init__(keys, organization_id)
        self._differing: dict[str, tuple[ToldHold, Hold | None]] = {}

    def compare_over(self, over: Mapping[str, ToldHold], stored: Mapping[str, Hold]) -> None:
        """Compare, and keep what differs."""
        super().compare_over(over, stored)
        self._differing |= differing(over, stored)

    def mend_holds(self, stored: Stored, now: datetime) -> Mapping[str, Hold]:
        """Return all holds that are to be written, as they should stand.

        Those that no entry has placed have nothing, and take nothing.
        """
        self._differing |= differing(self.holds.open, stored.holds)
        return {
            **{name: told.mended(hold, now) for name, (told, hold) in self._differing.items()},
            **{
                name: replace(hold, remaining_micros=0, state=HoldState.RELEASED, update_time=now)
                for name, hold in stored.untold_holds.items()
            },
        }

    @property
    def on_hold_micros(self) -> int:
        """What open holds have, once they are mended."""
        return sum(told.remaining_micros for told in self.holds.open.values())


class Damage(NamedTuple):
    """What is known of a broken wallet, and its payments as they were mended."""

    proof: RepairProof
    verdict: Verdict
    stored: Stored


def repair(wallet: Wallet, damage: Damage, order: RepairOrder, now: datetime) -> Effect:
    """Set the money to what the entries come to, and lift INTEGRITY.

    `wallet` is the row under its lock, made just now if there was none.
    """
    proof, at_risk = damage.proof, damage.stored.at_risk_micros
    before = wallet._replace(
        entry_count=proof.sequence,
        currency_code=proof.currency_code or wallet.currency_code,
        at_risk_micros=at_risk,
    )
    time = max(now, wallet.update_time, proof.last.time or now)
    draft = Draft(before, time, Cause())
    cause = Cause(
        actor=order.actor,
        description=_description(order, damage.verdict),
        metadata={str(kind): str(count) for kind, count in damage.verdict.open.counts.items()},
    )
    funds = funds_of(proof.position_micros, proof.on_hold_micros, at_risk)
    draft.post(EntryType.REPAIR, 0, funds, cause)
    after = _restore_freezes(draft, before, damage)
    return draft.settle(_lift_integrity(draft, after, order.actor))


def _restore_freezes(draft: Draft, wallet: Wallet, damage: Damage) -> Wallet:
    """Set what the entries or the row tell: what may be spent again is for people to say."""
    told = damage.proof.freezes
    if damage.verdict.wallet is not None:
        told = {name: each for name, each in told.items() if not _is_derived(each)}
    untold = [each for each in wallet.freezes if each.identity not in told]
    kept = [each for each in untold if _is_derived(each) or each.identity == FROZEN_WITHOUT_ENTRY]
    restored = wallet._replace(freezes=(*told.values(), *kept))
    for freeze in untold:
        restored = set_freeze(draft, restored, freeze)
    return restored


def _is_derived(freeze: Freeze) -> bool:
    return freeze.reason is FreezeReason.SUBSCRIPTION_INACTIVE


def _lift_integrity(draft: Draft, wallet: Wallet, actor: str) -> Wallet:
    for freeze in wallet.freezes:
        if freeze.reason is FreezeReason.INTEGRITY:
            lifted = Freeze(freeze.reason, freeze.reference_id, "repaired", actor, draft.time)
            wallet = lift_freeze(draft, wallet, lifted)
    return wallet


def funds_of(position_micros: int, on_hold_micros: int, at_risk_micros: int) -> Funds:
    """Return the one way in which money can stand: holds are kept whole, then comes debt."""
    balance = max(position_micros, on_hold_micros)
    kept = min(at_risk_micros, balance - on_hold_micros)
    return Funds(balance, on_hold_micros + kept, max(0, on_hold_micros - position_micros), kept)


def mend_payments(
    paid_by_entries: Mapping[str, int], levels: Mapping[str, Payment]
) -> Iterator[Payment]:
    """Return levels that fit the entries where they do not.

    Their revision is none, so that whatever the gateway tells next is news, and what differs from
    it is posted.
    """
    for payment_id, by_entries, _ in compare_payments(paid_by_entries, levels):
        paid = mended_paid(by_entries)
        level = levels.get(payment_id, Payment(payment_id, 0, 0, 0, 0, blocks_spending=False))
        reversed_ = min(level.reversed_micros, MICROS_MAX - paid)
        yield Payment(
            payment_id,
            0,
            paid + reversed_,
            reversed_,
            level.at_risk_micros,
            level.blocks_spending,
        )


def _description(order: RepairOrder, verdict: Verdict) -> str:
    """What was broken, after as much of the justification as leaves room for it."""
    counts = ", ".join(f"{kind} {count}" for kind, count in verdict.open.counts.items())
    found = f" [{counts}]"
    room = DESCRIPTION_BYTES_MAX - len(found.encode())
    return order.justification.encode()[:room].decode(errors="ignore") + found
