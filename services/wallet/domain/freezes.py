"""Freezes: a set of reasons, each set and lifted by itself."""

from datetime import datetime

from libs.errors import DomainError, ErrorReason
from services.wallet.domain.commands import LiftFreeze, SetFreeze
from services.wallet.domain.draft import Cause, Draft, Effect
from services.wallet.domain.refusals import require_callers_reason
from services.wallet.domain.values import EntryType, Freeze, FreezeReason, Wallet


def freeze_wallet(wallet: Wallet, command: SetFreeze, now: datetime) -> Effect:
    """Set what a caller asks for."""
    require_callers_reason(command.reason)
    freeze = Freeze(command.reason, command.reference_id, command.note, command.actor, now)
    draft = Draft(wallet, now, Cause())
    return draft.settle(set_freeze(draft, wallet, freeze))


def unfreeze_wallet(wallet: Wallet, command: LiftFreeze, now: datetime) -> Effect:
    """Lift what a caller asks for; an integrity freeze only after a clean verification."""
    require_callers_reason(command.reason)
    if command.reason is FreezeReason.INTEGRITY and not command.verified:
        raise DomainError(
            ErrorReason.INVALID_STATE, "the wallet's ledger was not found clean; see VerifyLedger"
        )
    freeze = Freeze(command.reason, command.reference_id, command.note, command.actor, now)
    draft = Draft(wallet, now, Cause())
    return draft.settle(lift_freeze(draft, wallet, freeze))


def set_freeze(draft: Draft, wallet: Wallet, freeze: Freeze) -> Wallet:
    """Add a freeze, unless it is set already."""
    if freeze.identity in {each.identity for each in wallet.freezes}:
        return wallet
    draft.post_freeze(EntryType.FREEZE, freeze)
    return wallet._replace(freezes=(*wallet.freezes, freeze))


def lift_freeze(draft: Draft, wallet: Wallet, freeze: Freeze) -> Wallet:
    """Remove a freeze, if it is set."""
    kept = tuple(each for each in wallet.freezes if each.identity != freeze.identity)
    if len(kept) == len(wallet.freezes):
        return wallet
    draft.post_freeze(EntryType.UNFREEZE, freeze)
    return wallet._replace(freezes=kept)


def freeze_without_entry(wallet: Wallet, command: SetFreeze, now: datetime) -> Wallet:
    """Freeze a wallet whose ledger is too broken to tell of it."""
    freeze = Freeze(command.reason, command.reference_id, command.note, command.actor, now)
    if freeze.identity in {each.identity for each in wallet.freezes}:
        return wallet
    return wallet._replace(
        freezes=(*wallet.freezes, freeze), level_revision=wallet.level_revision + 1
    )
