"""What an entry may do to a wallet's money, read the other way round: from what stands after it."""

from collections.abc import Mapping

from services.wallet.domain.values import Entry, EntryType

# How much of an entry's amount goes to the balance, to what is held, and to what is owed.
SHARES: Mapping[EntryType, tuple[int, int, int]] = {
    EntryType.TOP_UP: (1, 0, 0),
    EntryType.REFUND: (1, 0, 0),
    EntryType.PROMOTION: (1, 0, 0),
    EntryType.PAYMENT: (1, 0, 0),
    EntryType.DEBIT: (1, 0, 0),
    EntryType.ADJUSTMENT: (1, 0, 0),
    EntryType.HOLD: (0, 1, 0),
    EntryType.RELEASE: (0, 1, 0),
    EntryType.EXPIRY: (0, 1, 0),
    EntryType.AT_RISK: (0, 1, 0),
    EntryType.AT_RISK_ENDED: (0, 1, 0),
    EntryType.DEBT_REPAYMENT: (1, 0, 1),
    EntryType.FREEZE: (0, 0, 0),
    EntryType.UNFREEZE: (0, 0, 0),
}


def follows(entry: Entry, balance_micros: int, held_micros: int, owed_micros: int) -> bool:
    """Tell whether what stands after an entry follows from what stood before it."""
    amount = entry.amount_micros
    to_balance = entry.balance_after_micros - balance_micros
    to_held = entry.held_after_micros - held_micros
    to_owed = entry.owed_after_micros - owed_micros
    shares = SHARES.get(entry.type)
    if shares is not None:
        return (to_balance, to_held, to_owed) == (
            shares[0] * amount,
            shares[1] * amount,
            shares[2] * amount,
        )
    if to_balance - to_owed != amount:
        return False
    if entry.type == EntryType.REVERSAL_RETURNED:
        return to_held == 0 and to_owed == -min(owed_micros, amount)
    # A capture or a reversal: how much of it came out of holds, the entry does not tell.
    nothing_left = entry.balance_after_micros == entry.held_after_micros
    return to_held <= 0 <= to_owed and (nothing_left or to_owed == 0)
