"""What one entry does to the wallet, by its type."""

from tests.support.wallet_model.values import Standing
from tollgate.wallet.v1.wallet_pb2 import CounterpartyAccount, Entry, EntryType

# By type: sign of the amount; how often it is added to balance, held and owed; the other side.
STEADY = {
    "TOP_UP": ("+", (1, 0, 0), "PROVIDER_CLEARING"),
    "REFUND": ("+", (1, 0, 0), "MESSAGE_REVENUE"),
    "PROMOTION": ("+", (1, 0, 0), "PROMOTION"),
    "PAYMENT": ("+", (1, 0, 0), "PROVIDER_CLEARING"),
    "DEBIT": ("-", (1, 0, 0), "MESSAGE_REVENUE"),
    "ADJUSTMENT": ("+-", (1, 0, 0), "ADJUSTMENT"),
    "HOLD": ("+", (0, 1, 0), "UNSPECIFIED"),
    "RELEASE": ("-0", (0, 1, 0), "UNSPECIFIED"),
    "EXPIRY": ("-0", (0, 1, 0), "UNSPECIFIED"),
    "AT_RISK": ("+", (0, 1, 0), "UNSPECIFIED"),
    "AT_RISK_ENDED": ("-", (0, 1, 0), "UNSPECIFIED"),
    "DEBT_REPAYMENT": ("-", (1, 0, 1), "RECEIVABLE"),
    "FREEZE": ("0", (0, 0, 0), "UNSPECIFIED"),
    "UNFREEZE": ("0", (0, 0, 0), "UNSPECIFIED"),
}
# Where the amount goes depends on what is there.
ELASTIC = {
    "CAPTURE": ("-", "MESSAGE_REVENUE"),
    "REVERSAL": ("-", "PROVIDER_CLEARING"),
    "REVERSAL_RETURNED": ("+", "PROVIDER_CLEARING"),
}

# These follow from what a command did to the money; no command asks for them.
DERIVED = frozenset("AT_RISK AT_RISK_ENDED DEBT_REPAYMENT".split())


def kind_of(entry: Entry) -> str:
    """Return the type's name."""
    return EntryType.Name(entry.type).removeprefix("ENTRY_TYPE_")


def standing_after(entry: Entry) -> Standing:
    """Return how the wallet stands after the entry."""
    return Standing(entry.balance_after_micros, entry.held_after_micros, entry.owed_after_micros)


def follows(entry: Entry, before: Standing) -> bool:
    """Tell whether the entry does to the wallet what its type and amount say."""
    kind, amount, after = kind_of(entry), entry.amount_micros, standing_after(entry)
    change = (
        after.balance_micros - before.balance_micros,
        after.held_micros - before.held_micros,
        after.owed_micros - before.owed_micros,
    )
    if kind in STEADY:
        sign, (balance, held, owed), counterparty = STEADY[kind]
        fits = change == (balance * amount, held * amount, owed * amount)
    else:
        sign, counterparty = ELASTIC[kind]
        fits = stretches(kind, amount, change, before.owed_micros)
    return fits and sign_of(amount) in sign and counterparty == counterparty_of(entry)


def stretches(kind: str, amount: int, change: tuple[int, int, int], owed_before: int) -> bool:
    """Tell whether money was taken as far as it was there, or given back after the debt."""
    balance, held, owed = change
    if kind == "REVERSAL_RETURNED":
        repaid = min(amount, owed_before)
        return change == (amount - repaid, 0, -repaid)
    return balance - owed == amount and held <= 0 <= owed


def sign_of(amount: int) -> str:
    """Return the sign, 0 for zero."""
    return "0" if amount == 0 else "+" if amount > 0 else "-"


def counterparty_of(entry: Entry) -> str:
    """Return the other side's name."""
    name = CounterpartyAccount.Name(entry.counterparty_account)
    return name.removeprefix("COUNTERPARTY_ACCOUNT_")
