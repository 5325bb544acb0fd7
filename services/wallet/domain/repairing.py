"""Repair: a broken wallet is brought to what its entries, as they stand, come to."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from services.wallet.domain.draft import MICROS_MAX, Cause, Draft, Effect
from services.wallet.domain.freezes import lift_freeze
from services.wallet.domain.funds import Funds
from services.wallet.domain.standing import Stored
from services.wallet.domain.values import (
    EntryType,
    Freeze,
    FreezeReason,
    Metadata,
    Payment,
    Wallet,
)
from services.wallet.domain.verification import UNEXPLAINED_PAID, Verdict, WalletProof

DESCRIPTION_BYTES_MAX = 1000


class RepairOrder(NamedTuple):
    """Who repairs, and why."""

    justification: str
    actor: str


class Damage(NamedTuple):
    """What is known of a broken wallet; what is stored includes payments' levels mended."""

    proof: WalletProof
    verdict: Verdict
    stored: Stored


def repair(wallet: Wallet, damage: Damage, order: RepairOrder, now: datetime) -> Effect:
    """Set the money to what the entries come to, and lift INTEGRITY.

    `wallet` is the row under its lock, made just now if there was none.
    """
    proof, stored = damage.proof, damage.stored
    before = wallet._replace(
        entry_count=proof.sequence,
        currency_code=proof.last.currency_code or wallet.currency_code,
        freezes=wallet.freezes if stored.wallet else tuple(proof.freezes.values()),
        at_risk_micros=stored.at_risk_micros,
    )
    time = max(now, wallet.update_time, proof.last.time or now)
    draft = Draft(before, time, Cause())
    funds = funds_of(proof.position_micros, stored.on_hold_micros, stored.at_risk_micros)
    cause = Cause(
        actor=order.actor,
        description=_description(order, damage.verdict),
        metadata=_metadata(damage),
    )
    draft.post(EntryType.REPAIR, 0, funds, cause)
    return draft.settle(_lift_integrity(draft, before, order.actor))


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
    for payment_id in sorted({*paid_by_entries, *levels}):
        paid = paid_by_entries.get(payment_id, 0)
        level = levels.get(payment_id, Payment(payment_id, 0, 0, 0, 0, blocks_spending=False))
        if level.credited_micros - level.reversed_micros == paid:
            continue
        # Entries that are gone may leave less than nothing, which no level can say.
        reversed_ = level.reversed_micros if 0 <= paid <= MICROS_MAX - level.reversed_micros else 0
        credited = min(max(paid, 0) + reversed_, MICROS_MAX)
        yield Payment(
            payment_id, 0, credited, reversed_, level.at_risk_micros, level.blocks_spending
        )


def _description(order: RepairOrder, verdict: Verdict) -> str:
    """What was broken, after as much of the justification as leaves room for it."""
    counts = ", ".join(f"{kind} {count}" for kind, count in verdict.open.counts.items())
    found = f" [{counts}]"
    room = DESCRIPTION_BYTES_MAX - len(found.encode())
    return order.justification.encode()[:room].decode(errors="ignore") + found


def _metadata(damage: Damage) -> Metadata:
    metadata = {str(kind): str(count) for kind, count in damage.verdict.open.counts.items()}
    unexplained = damage.stored.paid_micros - damage.proof.paid_micros
    return {**metadata, UNEXPLAINED_PAID: str(unexplained)} if unexplained else metadata
