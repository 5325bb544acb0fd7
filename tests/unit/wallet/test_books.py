"""Many commands in one transaction: as one after the other, each seeing what came before it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from libs.errors import DomainError
from libs.levels import SubscriptionLevel, SubscriptionState
from services.wallet.domain.commands import Command, ObserveSubscription, SetThresholds
from services.wallet.domain.draft import Effect
from services.wallet.domain.values import EntryType
from services.wallet.operations.books import Books
from services.wallet.storage.wallets import WalletRow
from tests.unit.wallet.ledger import (
    HOUR,
    KEYS,
    ORGANIZATION_ID,
    Ledger,
    Outcome,
    capture,
    credit,
    debit,
    decide,
    freeze,
    opened,
    payment,
    place,
    release,
)
from tests.unit.wallet.stories import Story, at_length, begun, stories

# How long nothing happened, and what is then carried out together.
Batch: TypeAlias = tuple[timedelta, list[Command]]


def batches_of(story: Story, size: int) -> list[Batch]:
    """Put what is asked for without a pause into batches of at most so many commands."""
    batches: list[Batch] = [(timedelta(0), [])]
    for step in story:
        if isinstance(step, timedelta):
            batches.append((step, []))
        elif len(batches[-1][1]) < size:
            batches[-1][1].append(step)
        else:
            batches.append((timedelta(0), [step]))
    return batches


def told(outcome: Outcome) -> object:
    """Return what tells outcomes apart; the chain is known when the transaction ends."""
    if isinstance(outcome, DomainError):
        return outcome.reason, outcome.message, outcome.metadata
    return outcome._replace(wallet=outcome.wallet._replace(chain=None))


def books_of(*ledgers: Ledger) -> Books:
    """Return the books of the ledgers' wallets, named after their place."""
    rows = {
        f"org-{number}": WalletRow(
            ledger.wallet._replace(organization_id=f"org-{number}"), ledger.now
        )
        for number, ledger in enumerate(ledgers, start=1)
    }
    return Books(rows, KEYS)


def carried_out(ledger: Ledger, commands: Sequence[Command]) -> Books:
    """Carry out commands on a wallet without holds or payments; return the books after them."""
    books = books_of(ledger)
    for command in commands:
        books.decide(ORGANIZATION_ID, command)
    return books


@at_length
@given(stories(), st.integers(2, 30))
def test_commands_together_come_to_what_they_come_to_one_after_the_other(
    story: Story, size: int
) -> None:
    together, apart = begun(), begun()
    for pause, commands in batches_of(story, size):
        together.now += pause
        apart.now += pause
        outcomes = together.execute_together(commands)
        apart.execute_together([])
        one_by_one = [apart.execute_together([command])[0] for command in commands]
        assert [told(outcome) for outcome in outcomes] == [told(outcome) for outcome in one_by_one]
        # What is kept of a wallet is all that was decided.
        for effect in [outcome for outcome in outcomes if isinstance(outcome, Effect)][-1:]:
            assert told(effect) == told(effect._replace(wallet=together.wallet))
    assert vars(together) == vars(apart)


@at_length
@given(stories(), st.integers(2, 30))
def test_what_is_refused_leaves_no_trace(story: Story, size: int) -> None:
    ledger, without_refused = begun(), begun()
    for pause, commands in batches_of(story, size):
        ledger.now += pause
        without_refused.now += pause
        outcomes = ledger.execute_together(commands)
        accepted = [
            command
            for command, outcome in zip(commands, outcomes, strict=True)
            if isinstance(outcome, Effect)
        ]
        assert all(
            isinstance(outcome, Effect) for outcome in without_refused.execute_together(accepted)
        )
        assert vars(ledger) == vars(without_refused)


def test_a_command_sees_what_those_before_it_have_done() -> None:
    ledger = opened()
    outcomes = ledger.execute_together(
        [
            credit(100, "in"),
            place(60),
            capture(20, "c-1"),
            capture(20, "c-2", final=True),
            payment(1, 50, blocks_spending=True),
            debit(1, "frozen"),
            payment(2, 50),
            debit(110, "all"),
        ]
    )
    refused = [number for number, each in enumerate(outcomes) if isinstance(each, DomainError)]
    assert refused == [5]
    assert ledger.wallet.funds.balance_micros == 0


def test_the_wallets_of_one_transaction_are_apart() -> None:
    books = books_of(opened(100), opened(30))
    for name in ("org-1", "org-2"):
        books.decide(name, debit(20, "message"))
        books.decide(name, place(10))
    assert isinstance(decide(books, debit(20, "another"), "org-2"), DomainError)
    books.decide("org-1", debit(20, "another"))
    books.decide("org-1", release())

    assert books.wallet_now("org-1").funds[:2] == (60, 0)
    assert books.wallet_now("org-2").funds[:2] == (10, 10)
    assert [(entry.organization_id, entry.sequence) for entry in books.new_entries] == [
        ("org-1", 2),
        ("org-1", 3),
        ("org-2", 2),
        ("org-2", 3),
        ("org-1", 4),
        ("org-1", 5),
    ]
    assert {key: hold.remaining_micros for key, hold in books.changed_holds.items()} == {
        ("org-1", "hold"): 0,
        ("org-2", "hold"): 10,
    }


def test_a_debit_that_leaves_something_writes_its_entry_only() -> None:
    books = carried_out(opened(100), [debit(10, "message"), debit(10, "message")])
    assert [entry.type for entry in books.new_entries] == [EntryType.DEBIT]
    assert not books.changed_wallets
    assert not books.changed_levels
    assert not books.changed_holds
    assert not books.changed_payments


def test_the_level_is_announced_only_where_it_has_changed() -> None:
    assert not carried_out(opened(100), [debit(99, "nearly-all"), place(1)]).changed_levels
    for command in (debit(100, "all"), freeze()):
        books = carried_out(opened(100), [command])
        assert books.changed_levels == books.changed_wallets != []


def test_a_wallet_has_changed_when_its_ledger_has_grown() -> None:
    books = books_of(opened(100), opened(100), opened(100))
    books.decide("org-2", debit(10, "message"))
    books.decide("org-3", SetThresholds(200, None))
    assert books.changed == ["org-2"]
    assert [wallet.organization_id for wallet in books.changed_wallets] == ["org-3"]
    assert [wallet.organization_id for wallet in books.changed_levels] == ["org-3"]


def test_what_did_not_change_is_not_written_again() -> None:
    ledger = opened(100)
    ledger.execute(place(10))
    ledger.execute(release())
    ledger.execute(payment(3, 5))
    books = books_of(ledger)
    books.load({}, ledger.holds, ledger.payments)
    for command in (release(), payment(3, 5), payment(2, 500)):
        books.decide(ORGANIZATION_ID, command)
    assert not books.new_entries
    assert not books.changed_wallets
    assert not books.changed_holds
    assert not books.changed_payments


def test_the_wallet_now_is_frozen_when_its_subscriptions_time_is_up() -> None:
    ledger = opened(100)
    good_until = ledger.now + HOUR
    ledger.execute(
        ObserveSubscription(SubscriptionLevel(1, SubscriptionState.ACTIVE, True, good_until))  # noqa: FBT003
    )
    ledger.now = good_until
    assert books_of(ledger).wallet_now(ORGANIZATION_ID).freeze_reasons == ("SUBSCRIPTION_INACTIVE",)


def test_new_entries_are_taken_once() -> None:
    books = carried_out(opened(100), [debit(1, "one"), debit(1, "two")])
    assert [entry.reference_id for entry in books.take_new_entries()] == ["one", "two"]
    books.decide(ORGANIZATION_ID, debit(1, "three"))
    assert [entry.sequence for entry in books.take_new_entries()] == [4]
    assert not books.new_entries
