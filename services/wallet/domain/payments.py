"""Payments as levels: what is posted is the difference to what was applied before."""

from datetime import datetime

from libs.errors import DomainError, ErrorReason, invalid_field
from services.wallet.domain.commands import ApplyPayment
from services.wallet.domain.draft import MICROS_MAX, Cause, Draft, Effect
from services.wallet.domain.freezes import lift_freeze, set_freeze
from services.wallet.domain.refusals import (
    balance_limit_exceeded,
    require_currency,
    require_open,
)
from services.wallet.domain.values import (
    GATEWAY_ACTOR,
    EntryType,
    Freeze,
    FreezeReason,
    Payment,
    Wallet,
)


def apply_payment(
    wallet: Wallet, applied: Payment | None, command: ApplyPayment, now: datetime
) -> Effect:
    """Take a level if it is newer."""
    _require_possible(command)
    if wallet.currency_code is None and command.currency_code == command.default_currency_code:
        wallet = wallet._replace(
            currency_code=command.currency_code, create_time=now, update_time=now
        )
    require_open(wallet)
    if applied is not None and command.revision < applied.revision:
        return Effect(wallet, payment=applied)
    require_currency(wallet, command.currency_code)
    payment = Payment(
        command.payment_id,
        command.revision,
        command.credited_micros,
        command.reversed_micros,
        command.at_risk_micros,
        command.blocks_spending,
    )
    before = applied or Payment(command.payment_id, 0, 0, 0, 0, blocks_spending=False)
    if before.revision == payment.revision:
        _require_same_level(before, payment)
        return Effect(wallet, payment=before)
    return _post_difference(wallet, before, payment, command, now)._replace(payment=payment)


def _post_difference(
    wallet: Wallet, before: Payment, payment: Payment, command: ApplyPayment, now: datetime
) -> Effect:
    cause = Cause(
        payment_id=payment.payment_id,
        actor=GATEWAY_ACTOR,
        description=command.description,
        metadata=command.metadata,
    )
    draft = Draft(wallet, now, cause)
    credited = payment.credited_micros - before.credited_micros
    reversed_ = payment.reversed_micros - before.reversed_micros
    given, returned = max(credited, 0), max(-reversed_, 0)
    taken = max(reversed_, 0) + max(-credited, 0)
    if given:
        draft.post(EntryType.PAYMENT, given, draft.funds.give(given), cause)
    if returned:
        funds = draft.funds.give_back(returned)
        draft.post(EntryType.REVERSAL_RETURNED, returned, funds, cause)
    owed_before = draft.funds.owed_micros
    if taken:
        draft.post(EntryType.REVERSAL, -taken, draft.funds.take(taken), cause)
    owed = draft.funds.owed_micros - owed_before
    at_risk = wallet.at_risk_micros + payment.at_risk_micros - before.at_risk_micros
    if at_risk > MICROS_MAX:
        raise balance_limit_exceeded(wallet, payment.at_risk_micros)
    after = _follow_block(draft, wallet, payment, command.description)
    effect = draft.settle(after._replace(at_risk_micros=at_risk))
    return effect._replace(collected_micros=taken - owed, owed_micros=owed)


def _follow_block(draft: Draft, wallet: Wallet, payment: Payment, note: str) -> Wallet:
    freeze = Freeze(FreezeReason.DISPUTE, payment.payment_id, note, GATEWAY_ACTOR, draft.time)
    if payment.blocks_spending:
        return set_freeze(draft, wallet, freeze)
    # What a caller froze under the payment's name is the caller's to lift.
    owners = {each.identity: each.actor for each in wallet.freezes}
    is_own = owners.get(freeze.identity) == GATEWAY_ACTOR
    return lift_freeze(draft, wallet, freeze) if is_own else wallet


def _require_possible(command: ApplyPayment) -> None:
    if command.reversed_micros > command.credited_micros:
        raise invalid_field("reversed_micros", "must be at most credited_micros")


def _require_same_level(held: Payment, reported: Payment) -> None:
    names = ("credited_micros", "reversed_micros", "at_risk_micros", "blocks_spending")
    differing = [name for name in names if getattr(held, name) != getattr(reported, name)]
    if differing:
        raise DomainError(
            ErrorReason.REFERENCE_CONFLICT,
            f"revision {held.revision} of the payment is held with other content",
            heldRevision=held.revision,
            differingFields=",".join(differing),
        )
