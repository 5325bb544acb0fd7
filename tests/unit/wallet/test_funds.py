"""How the money of a wallet stands, whatever comes: properties of random stories."""

from itertools import pairwise

from hypothesis import given

from services.wallet.domain.draft import MICROS_MAX
from services.wallet.domain.funds import Funds
from services.wallet.domain.values import Entry, EntryType
from tests.unit.wallet.ledger import Ledger
from tests.unit.wallet.stories import Story, at_length, effects, play, stories, tell

# Type: how often the amount is in the change of balance, held and owed.
SHARES = {
    EntryType.TOP_UP: (1, 0, 0),
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


def stands_after(entry: Entry) -> tuple[int, int, int]:
    return entry.balance_after_micros, entry.held_after_micros, entry.owed_after_micros


def follows(before: Entry, entry: Entry) -> bool:
    """Tell whether an entry changes what its type and amount say."""
    changes = zip(stands_after(entry), stands_after(before), strict=True)
    balance, held, owed = (after - earlier for after, earlier in changes)
    amount = entry.amount_micros
    match entry.type:
        case EntryType.REVERSAL_RETURNED:
            repaid = min(amount, before.owed_after_micros)
            return (balance, held, owed) == (amount - repaid, 0, -repaid)
        case EntryType.CAPTURE | EntryType.REVERSAL:
            return balance - owed == amount < 0 and balance <= 0 <= owed and held <= 0
        case _:
            return (balance, held, owed) == tuple(share * amount for share in SHARES[entry.type])


def canonical_funds(ledger: Ledger) -> Funds:
    """What follows from what the organization owns, what its holds have, and what is at risk."""
    position = sum(entry.moved_micros for entry in ledger.entries)
    in_holds = sum(hold.remaining_micros for hold in ledger.holds.values())
    at_risk = sum(payment.at_risk_micros for payment in ledger.payments.values())
    balance = max(position, in_holds)
    kept = min(at_risk, balance - in_holds)
    return Funds(balance, in_holds + kept, max(0, in_holds - position), kept)


@at_length
@given(stories())
def test_every_ledger_adds_up_and_never_goes_below_zero(story: Story) -> None:
    ledger = play(story)
    position = 0
    for number, entry in enumerate(ledger.entries, start=1):
        position += entry.moved_micros
        balance, held, owed = stands_after(entry)
        assert balance - owed == position
        assert balance >= held >= 0
        assert owed >= 0
        assert entry.sequence == number
    assert all(follows(before, entry) for before, entry in pairwise(ledger.entries))
    assert stands_after(ledger.entries[-1]) == ledger.wallet.funds[:3]
    assert ledger.wallet.entry_count == len(ledger.entries)


@given(stories())
def test_how_the_money_stands_follows_from_what_is_owned_held_and_at_risk(story: Story) -> None:
    for ledger, _ in tell(story):
        assert ledger.wallet.funds == canonical_funds(ledger)


@given(stories())
def test_only_what_is_available_is_spent_or_held(story: Story) -> None:
    for before, _, effect in effects(story):
        for entry in effect.entries:
            takes = entry.type is EntryType.ADJUSTMENT and entry.amount_micros < 0
            if takes or entry.type in {EntryType.DEBIT, EntryType.HOLD}:
                assert abs(entry.amount_micros) <= before.funds.available_micros


@given(stories(amounts=(1, MICROS_MAX // 2, MICROS_MAX - 1, MICROS_MAX)))
def test_no_amount_passes_what_the_database_can_keep(story: Story) -> None:
    ledger = play(story)
    assert ledger.wallet.funds == canonical_funds(ledger)
    assert ledger.wallet.at_risk_micros <= MICROS_MAX
    assert all(hold.captured_micros <= MICROS_MAX for hold in ledger.holds.values())
    for entry in ledger.entries:
        assert max(abs(entry.amount_micros), *stands_after(entry)) <= MICROS_MAX


def test_nothing_is_available_while_something_is_owed() -> None:
    assert Funds(100, 30).available_micros == 70
    assert Funds(100, 100, 20).available_micros == 0
    # While a credit is taken apart: the debt has its part first.
    assert Funds(100, 30, 20).available_micros == 0
