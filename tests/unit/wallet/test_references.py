"""A reference has one effect for ever, and one answer."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import DomainError, ErrorReason
from services.wallet.domain.commands import Reevaluate, Referenced
from services.wallet.domain.draft import Effect
from services.wallet.domain.values import EntryType
from tests.unit.wallet.ledger import (
    HOUR,
    Ledger,
    adjust,
    capture,
    credit,
    debit,
    freeze,
    indebted,
    opened,
    payment,
    place,
    refused,
)
from tests.unit.wallet.stories import Story, at_length, play, stories, tell

METADATA = {"campaign": "spring"}
# The hold that is captured, and another one.
PLACED = place(40, "placed", 24 * HOUR)
OTHER_PLACED = place(5, "other", 24 * HOUR)
FIRSTS: list[Referenced] = [
    debit(10, "first", METADATA),
    credit(10, "first", METADATA),
    adjust(10, "first"),
    adjust(-10, "first"),
    place(10, "first")._replace(metadata=METADATA),
    capture(10, "first", "placed"),
    capture(10, "first", "placed", final=True, allow_excess=True),
]
# What each field is changed to.
OTHERS = {
    "amount_micros": 9,
    "delta_micros": 9,
    "currency_code": "EUR",
    "entry_type": EntryType.PROMOTION,
    "description": "other",
    "justification": "other",
    "actor": "bob",
    "metadata": {"campaign": "summer"},
    "ttl": 2 * HOUR,
    "hold_reference_id": "other",
}
NOT_CONTENT = {"reference_id", "late_window"}


def name_of(command: Referenced) -> str:
    return type(command).__name__


def started() -> Ledger:
    """Return a wallet in which every first command can be carried out."""
    ledger = opened(200)
    ledger.execute(PLACED)
    ledger.execute(OTHER_PLACED)
    return ledger


def changed(command: Referenced, field: str) -> Referenced:
    """Return the command with other content in one field."""
    value = getattr(command, field)
    other: Any = not value if isinstance(value, bool) else OTHERS[field]
    return command._replace(**{field: other})


CHANGES = [
    (first, field) for first in FIRSTS for field in first._fields if field not in NOT_CONTENT
]


@at_length
@given(stories())
def test_a_reference_has_one_effect_for_ever(story: Story) -> None:
    done: dict[str, Referenced] = {}
    for ledger, (_, command, outcome) in tell(story, opened(100)):
        if isinstance(command, Referenced) and not isinstance(outcome, DomainError):
            assert outcome.replayed is (command.reference_id in done)
            assert done.setdefault(command.reference_id, command) == command
            assert outcome.entries == tuple(
                entry for entry in ledger.entries if entry.reference_id == command.reference_id
            )
            parts = [entry.reference_part for entry in outcome.entries]
            assert parts == list(range(len(parts)))


@at_length
@given(st.sampled_from(FIRSTS), stories())
def test_a_repetition_is_answered_as_the_first_time_whatever_the_wallets_state(
    command: Referenced, story: Story
) -> None:
    ledger = started()
    first = ledger.execute(command)
    play(story, ledger)
    ledger.execute(Reevaluate())
    before = vars(ledger.copy())

    again = ledger.execute(command)

    assert again.replayed
    assert again.entries == first.entries
    assert [hold.reference_id for hold in again.holds] == [h.reference_id for h in first.holds]
    assert vars(ledger) == before


def test_a_repetition_comes_before_every_other_rule() -> None:
    ledger = opened(100)
    first = ledger.execute(debit(100, "message"))
    ledger.execute(freeze())
    again = ledger.execute(debit(100, "message"))
    assert again.replayed
    assert again.entries == first.entries


def test_a_repetition_is_answered_with_everything_that_the_first_one_did() -> None:
    ledger = indebted(30)
    ledger.execute(payment(1, 0, at_risk_micros=500))
    first = ledger.execute(credit(100, "in"))
    assert [entry.type for entry in first.entries] == [
        EntryType.TOP_UP,
        EntryType.DEBT_REPAYMENT,
        EntryType.AT_RISK,
    ]
    assert ledger.execute(credit(100, "in")).entries == first.entries


def test_a_refused_reference_may_be_used_again() -> None:
    ledger = opened()
    assert refused(ledger, debit(100, "message")).reason is ErrorReason.INSUFFICIENT_FUNDS
    ledger.execute(credit(100, "in"))
    assert not ledger.execute(debit(100, "message")).replayed


@pytest.mark.parametrize(
    ("first", "field"), CHANGES, ids=[f"{name_of(first)}-{field}" for first, field in CHANGES]
)
def test_a_reference_with_other_content_is_a_conflict_that_names_it(
    first: Referenced, field: str
) -> None:
    ledger = started()
    ledger.execute(first)
    error = refused(ledger, changed(first, field))
    assert error.reason is ErrorReason.REFERENCE_CONFLICT
    name = "type" if field == "entry_type" else field
    assert error.metadata == {"referenceId": "first", "differingFields": name}


@pytest.mark.parametrize("first", FIRSTS, ids=name_of)
def test_all_that_differs_is_named(first: Referenced) -> None:
    ledger = started()
    ledger.execute(first)
    fields = [field for field in first._fields if field not in NOT_CONTENT]
    other = first
    for field in fields:
        other = changed(other, field)
    named = refused(ledger, other).metadata["differingFields"].split(",")
    assert set(named) == {"type" if field == "entry_type" else field for field in fields}


@pytest.mark.parametrize(("first", "second"), list(permutations(FIRSTS, 2)), ids=name_of)
def test_a_reference_that_was_used_for_something_else_is_a_conflict(
    first: Referenced, second: Referenced
) -> None:
    ledger = started()
    ledger.execute(first)
    error = refused(ledger, second)
    assert error.reason is ErrorReason.REFERENCE_CONFLICT
    if type(first) is not type(second):
        assert error.metadata["differingFields"].split(",")[0] == "type"


def test_a_capture_cannot_have_the_reference_of_its_hold() -> None:
    error = refused(started(), capture(10, "placed", "placed"))
    assert error.reason is ErrorReason.REFERENCE_CONFLICT


@pytest.mark.parametrize("first", FIRSTS, ids=name_of)
def test_twice_in_one_transaction_it_has_one_effect_and_one_answer(first: Referenced) -> None:
    once, twice = started(), started()
    alone = once.execute(first)
    effect, again = twice.execute_together([first, first])
    assert isinstance(effect, Effect)
    assert isinstance(again, Effect)
    assert (effect.replayed, again.replayed) == (False, True)
    assert effect.entries == again.entries == alone.entries
    assert effect.holds == again.holds == alone.holds
    assert vars(twice) == vars(once)


@pytest.mark.parametrize("first", FIRSTS, ids=name_of)
def test_other_content_in_between_is_a_conflict_in_one_transaction_too(first: Referenced) -> None:
    other = changed(first, "amount_micros" if "amount_micros" in first._fields else "actor")
    effect, conflict, again = started().execute_together([first, other, first])
    assert isinstance(effect, Effect)
    assert isinstance(again, Effect)
    assert isinstance(conflict, DomainError)
    assert conflict.reason is ErrorReason.REFERENCE_CONFLICT
    assert effect.entries == again.entries
