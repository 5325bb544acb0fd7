"""Debits, credits and corrections."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import ErrorReason
from services.wallet.domain.commands import (
    AdjustBalance,
    ApplyPayment,
    Command,
    Credit,
    Debit,
    PlaceHold,
)
from services.wallet.domain.draft import MICROS_MAX
from services.wallet.domain.values import EntryType
from tests.unit.wallet.ledger import (
    adjust,
    credit,
    debit,
    freeze,
    indebted,
    opened,
    payment,
    place,
    refused,
)


def test_a_debit_takes_all_that_there_is_and_no_more() -> None:
    ledger = opened(100)
    short = refused(ledger, debit(101, "message"))
    assert short.reason is ErrorReason.INSUFFICIENT_FUNDS
    assert short.metadata == {"availableMicros": "100", "requestedMicros": "101"}
    ledger.execute(debit(100, "message"))
    assert ledger.wallet.funds.balance_micros == 0


def test_an_entry_tells_of_its_command() -> None:
    ledger = opened()
    (credited,) = ledger.execute(credit(100, "invoice", {"invoice": "7"})).entries
    (debited,) = ledger.execute(debit(40, "message", {"campaign": "spring"})).entries
    (adjusted,) = ledger.execute(adjust(-10, "ticket")).entries
    assert credited.description == "a top-up"
    assert credited.metadata == {"invoice": "7"}
    assert (credited.actor, credited.currency_code) == ("", "USD")
    assert debited.description == "a message"
    assert debited.metadata == {"campaign": "spring"}
    assert (adjusted.actor, adjusted.description) == ("anna", "a mistake")
    assert [entry.reference_id for entry in ledger.entries] == ["invoice", "message", "ticket"]
    assert [entry.amount_micros for entry in ledger.entries] == [100, -40, -10]
    assert {entry.create_time for entry in ledger.entries} == {ledger.now}
    assert {entry.organization_id for entry in ledger.entries} == {"org-1"}


@pytest.mark.parametrize("type_", [EntryType.TOP_UP, EntryType.REFUND, EntryType.PROMOTION])
def test_a_credit_is_of_the_type_that_it_was_given(type_: EntryType) -> None:
    effect = opened().execute(credit(100, "in")._replace(entry_type=type_))
    assert [entry.type for entry in effect.entries] == [type_]


def test_without_a_subscription_level_money_that_was_paid_may_be_spent() -> None:
    ledger = opened(100)
    ledger.execute(debit(100, "message"))
    assert ledger.wallet.depleted


@given(st.integers(1, 100), st.lists(st.integers(1, 60), min_size=1, max_size=4))
def test_credits_repay_debt_first(owed_micros: int, amounts: list[int]) -> None:
    ledger = indebted(owed_micros)
    for number, amount in enumerate(amounts):
        owed_before = ledger.wallet.funds.owed_micros
        effect = ledger.execute(credit(amount, f"in-{number}"))
        repaid = [e.amount_micros for e in effect.entries if e.type is EntryType.DEBT_REPAYMENT]
        assert repaid == [-min(owed_before, amount)] * bool(owed_before)
    assert ledger.wallet.funds.owed_micros == max(0, owed_micros - sum(amounts))
    assert ledger.wallet.funds.balance_micros == max(0, sum(amounts) - owed_micros)


def test_what_follows_from_a_credit_carries_its_reference_in_order_and_not_its_words() -> None:
    ledger = indebted(30)
    ledger.execute(payment(1, 5, at_risk_micros=50))
    entries = ledger.execute(credit(100, "in", {"invoice": "7"})).entries
    assert [(entry.type, entry.amount_micros) for entry in entries] == [
        (EntryType.TOP_UP, 100),
        (EntryType.DEBT_REPAYMENT, -25),
        (EntryType.AT_RISK, 50),
    ]
    assert [(entry.reference_id, entry.reference_part) for entry in entries] == [
        ("in", 0),
        ("in", 1),
        ("in", 2),
    ]
    assert [entry.description for entry in entries] == ["a top-up", "", ""]
    assert [entry.metadata for entry in entries] == [{"invoice": "7"}, None, None]


@pytest.mark.parametrize(
    "command", [debit(1, "message"), place(1), adjust(-1, "ticket")], ids=lambda c: type(c).__name__
)
def test_who_owes_cannot_spend(command: Command) -> None:
    ledger = indebted(30)
    assert refused(ledger, command).reason is ErrorReason.INSUFFICIENT_FUNDS
    ledger.execute(credit(30, "all-of-it"))
    assert refused(ledger, command).reason is ErrorReason.INSUFFICIENT_FUNDS
    ledger.execute(credit(1, "more"))
    ledger.execute(command)


def test_a_correction_takes_what_is_available_and_no_more_frozen_or_not() -> None:
    ledger = opened(100)
    ledger.execute(place(30))
    ledger.execute(freeze())
    short = refused(ledger, adjust(-71, "too-much"))
    assert short.reason is ErrorReason.INSUFFICIENT_FUNDS
    assert short.metadata == {"availableMicros": "70", "requestedMicros": "71"}
    ledger.execute(adjust(-70, "all"))
    assert ledger.wallet.funds.balance_micros == 30


def test_a_correction_upwards_writes_debt_off() -> None:
    ledger = indebted(30)
    effect = ledger.execute(adjust(50, "ticket"))
    assert [entry.type for entry in effect.entries] == [
        EntryType.ADJUSTMENT,
        EntryType.DEBT_REPAYMENT,
    ]
    assert [entry.actor for entry in effect.entries] == ["anna", ""]
    assert ledger.wallet.funds.owed_micros == 0
    assert ledger.wallet.funds.balance_micros == 20


@pytest.mark.parametrize(
    "command", [credit(1, "more"), adjust(1, "more"), payment(1, 1)], ids=lambda c: type(c).__name__
)
def test_what_would_pass_int64_is_refused(command: Command) -> None:
    ledger = opened(MICROS_MAX)
    error = refused(ledger, command)
    assert error.reason is ErrorReason.BALANCE_LIMIT_EXCEEDED
    assert error.metadata == {"balanceMicros": str(MICROS_MAX), "requestedMicros": "1"}


@pytest.mark.parametrize(
    "command",
    [debit(1, "r"), credit(1, "r"), adjust(1, "r"), payment(1, 1), place(1)],
    ids=lambda c: type(c).__name__,
)
def test_money_of_another_currency_is_refused(
    command: Debit | Credit | AdjustBalance | ApplyPayment | PlaceHold,
) -> None:
    error = refused(opened(100), command._replace(currency_code="EUR"))
    assert error.reason is ErrorReason.CURRENCY_MISMATCH
    assert error.metadata == {"walletCurrencyCode": "USD", "requestedCurrencyCode": "EUR"}
