"""Money that comes and goes by a reference: debits, credits, corrections."""

from datetime import datetime

from services.wallet.domain.commands import AdjustBalance, Credit, Debit
from services.wallet.domain.draft import Cause, Draft, Effect
from services.wallet.domain.refusals import (
    insufficient_funds,
    require_currency,
    require_same,
    require_spendable,
)
from services.wallet.domain.values import Entry, EntryType, Wallet


def debit(wallet: Wallet, command: Debit, now: datetime) -> Effect:
    """Spend what is available."""
    require_currency(wallet, command.currency_code)
    require_spendable(wallet.as_of(now), command.amount_micros)
    cause = _cause(command)
    draft = Draft(wallet, now, cause)
    funds = wallet.funds.spend(command.amount_micros)
    draft.post(EntryType.DEBIT, -command.amount_micros, funds, cause)
    return draft.settle(wallet)


def credit(wallet: Wallet, command: Credit, now: datetime) -> Effect:
    """Add money, frozen or not; it repays debt first."""
    require_currency(wallet, command.currency_code)
    cause = _cause(command)
    draft = Draft(wallet, now, cause)
    draft.post(
        command.entry_type, command.amount_micros, wallet.funds.give(command.amount_micros), cause
    )
    return draft.settle(wallet)


def _cause(command: Debit | Credit) -> Cause:
    return Cause(command.reference_id, None, None, "", command.description, command.metadata)


def adjust(wallet: Wallet, command: AdjustBalance, now: datetime) -> Effect:
    """Correct the balance, never below what is available."""
    require_currency(wallet, command.currency_code)
    if -command.delta_micros > wallet.funds.available_micros:
        raise insufficient_funds(wallet, -command.delta_micros)
    cause = Cause(
        reference_id=command.reference_id,
        actor=command.actor,
        description=command.justification,
    )
    draft = Draft(wallet, now, cause)
    draft.post(
        EntryType.ADJUSTMENT, command.delta_micros, wallet.funds.give(command.delta_micros), cause
    )
    return draft.settle(wallet)


def require_same_posting(
    wallet: Wallet, first: Entry, command: Debit | Credit | AdjustBalance
) -> None:
    """Refuse a repetition with other content."""
    currency = {"currency_code": (wallet.currency_code, command.currency_code)}
    require_same(command.reference_id, {**currency, **_content(first, command)})


def _content(
    first: Entry, command: Debit | Credit | AdjustBalance
) -> dict[str, tuple[object, object]]:
    match command:
        case AdjustBalance():
            return {
                "type": (first.type, EntryType.ADJUSTMENT),
                "delta_micros": (first.amount_micros, command.delta_micros),
                "justification": (first.description, command.justification),
                "actor": (first.actor, command.actor),
            }
        case Debit():
            type_, amount_micros = EntryType.DEBIT, -command.amount_micros
        case Credit():
            type_, amount_micros = command.entry_type, command.amount_micros
    return {
        "type": (first.type, type_),
        "amount_micros": (first.amount_micros, amount_micros),
        "description": (first.description, command.description),
        "metadata": (first.metadata, command.metadata),
    }
