"""Payments as levels: whatever the way, it ends as the last level of each says."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import ErrorReason, InvalidArgumentError
from services.wallet.domain.commands import ApplyPayment, LiftFreeze, SetFreeze
from services.wallet.domain.draft import MICROS_MAX
from services.wallet.domain.funds import Funds
from services.wallet.domain.values import EntryType, FreezeReason, Payment
from tests.unit.wallet.ledger import (
    ORGANIZATION_ID,
    Ledger,
    adjust,
    capture,
    credit,
    debit,
    freeze,
    indebted,
    lift,
    opened,
    payment,
    place,
    refused,
)
from tests.unit.wallet.stories import PAYMENTS, at_length

AMOUNTS = st.sampled_from([0, 1, 20, 50, 100])
LEVELS = st.builds(
    lambda one, other, at_risk, blocks: payment(
        0, max(one, other), min(one, other), at_risk, blocks_spending=blocks
    ),
    AMOUNTS,
    AMOUNTS,
    AMOUNTS,
    st.booleans(),
)
PATHS = st.fixed_dictionaries(
    {name: st.lists(LEVELS, min_size=1, max_size=4) for name in PAYMENTS}
).map(
    lambda paths: [
        level._replace(payment_id=name, revision=revision)
        for name, path in paths.items()
        for revision, level in enumerate(path, start=1)
    ]
)


def spent_from() -> Ledger:
    """Return a wallet that has money in a hold, little besides, and has been spent from."""
    ledger = opened(100)
    ledger.execute(place(40))
    ledger.execute(debit(50, "message"))
    return ledger


def moved(ledger: Ledger, command: ApplyPayment) -> list[tuple[EntryType, int]]:
    """Apply a level; return its entries' types and amounts."""
    entries = ledger.execute(command).entries
    return [(entry.type, entry.amount_micros) for entry in entries]


@given(st.permutations([payment(n, 100 * n) for n in range(1, 6)]))
def test_a_payments_level_ends_as_its_newest_revision_in_any_order(
    order: Sequence[ApplyPayment],
) -> None:
    ledger = opened()
    for command in [*order, *order]:
        ledger.execute(command)
    assert ledger.wallet.funds == Funds(500)
    assert list(ledger.payments.values()) == [
        Payment("stripe:pi_1", 5, 500, 0, 0, blocks_spending=False)
    ]


@at_length
@given(PATHS, st.data())
def test_every_path_of_levels_in_any_order_ends_as_the_last_ones(
    levels: list[ApplyPayment], data: st.DataObject
) -> None:
    straight, winding = spent_from(), spent_from()
    last = {level.payment_id: level for level in levels}
    for level in last.values():
        straight.execute(level)
    for level in data.draw(st.permutations([*levels, *levels])):
        winding.execute(level)
    assert winding.wallet.funds == straight.wallet.funds
    assert winding.wallet.at_risk_micros == straight.wallet.at_risk_micros
    assert winding.payments == straight.payments
    assert {freeze.identity for freeze in winding.wallet.freezes} == {
        (FreezeReason.DISPUTE, name) for name, level in last.items() if level.blocks_spending
    }


@given(PATHS, st.integers(0, 100))
def test_what_is_reversed_is_collected_as_far_as_it_is_there_and_else_owed(
    levels: list[ApplyPayment], owed_micros: int
) -> None:
    ledger = spent_from()
    ledger.execute(capture(40 + owed_micros, allow_excess=True))
    for level in levels:
        effect = ledger.execute(level)
        assert (effect.collected_micros, effect.owed_micros) == (0, 0) or any(
            entry.type is EntryType.REVERSAL for entry in effect.entries
        )
        for before, entry in pairwise(ledger.entries[-len(effect.entries) - 1 :]):
            if entry.type is EntryType.REVERSAL:
                collected = before.balance_after_micros - entry.balance_after_micros
                owed = entry.owed_after_micros - before.owed_after_micros
                assert (effect.collected_micros, effect.owed_micros) == (collected, owed)
                assert collected + owed == -entry.amount_micros
                assert not owed or entry.balance_after_micros == entry.held_after_micros


def test_a_reversal_takes_what_is_there_and_books_the_rest_as_owed() -> None:
    ledger = opened()
    ledger.execute(payment(1, 100))
    ledger.execute(debit(70, "message"))
    effect = ledger.execute(payment(2, 100, 100))
    assert [(entry.type, entry.amount_micros) for entry in effect.entries] == [
        (EntryType.REVERSAL, -100)
    ]
    assert (effect.collected_micros, effect.owed_micros) == (30, 70)
    assert ledger.wallet.funds == Funds(0, 0, 70)


def test_what_is_credited_and_reversed_at_once_is_collected_and_the_rest_repays_debt() -> None:
    ledger = indebted(50)
    effect = ledger.execute(payment(1, 100, 80))
    assert [(entry.type, entry.amount_micros) for entry in effect.entries] == [
        (EntryType.PAYMENT, 100),
        (EntryType.REVERSAL, -80),
        (EntryType.DEBT_REPAYMENT, -20),
    ]
    assert (effect.collected_micros, effect.owed_micros) == (80, 0)
    assert ledger.wallet.funds == Funds(0, 0, 30)


def test_a_reversal_takes_no_more_than_what_is_not_in_holds() -> None:
    ledger = opened()
    ledger.execute(payment(1, 100))
    ledger.execute(place(60))
    ledger.execute(payment(2, 100, 100))
    assert ledger.wallet.funds == Funds(60, 60, 60)
    ledger.execute(capture(60, final=True))
    assert ledger.wallet.funds == Funds(0, 0, 60)


def test_less_reversed_than_before_cancels_debt_first_then_gives_back() -> None:
    ledger = indebted(100)
    assert moved(ledger, payment(3, 100, 70, payment_id="spent")) == [
        (EntryType.REVERSAL_RETURNED, 30)
    ]
    assert ledger.wallet.funds == Funds(0, 0, 70)
    ledger.execute(credit(50, "in"))
    moved(ledger, payment(4, 100, 0, payment_id="spent"))
    assert ledger.wallet.funds == Funds(50)


def test_less_credited_than_before_is_a_reversal() -> None:
    ledger = opened()
    assert moved(ledger, payment(1, 100, 20)) == [
        (EntryType.PAYMENT, 100),
        (EntryType.REVERSAL, -20),
    ]
    assert moved(ledger, payment(2, 60, 20)) == [(EntryType.REVERSAL, -40)]
    assert moved(ledger, payment(3, 50, 0)) == [
        (EntryType.REVERSAL_RETURNED, 20),
        (EntryType.REVERSAL, -10),
    ]
    assert moved(ledger, payment(4, 50, 0)) == []
    assert ledger.wallet.funds == Funds(50)


def test_what_is_at_risk_is_kept_as_far_as_it_is_there() -> None:
    ledger = opened(100)
    ledger.execute(place(40))
    assert moved(ledger, payment(1, 0, at_risk_micros=50)) == [(EntryType.AT_RISK, 50)]
    assert ledger.wallet.funds == Funds(100, 90, 0, 50)
    assert refused(ledger, debit(11, "message")).reason is ErrorReason.INSUFFICIENT_FUNDS
    assert refused(ledger, adjust(-11, "ticket")).reason is ErrorReason.INSUFFICIENT_FUNDS
    assert moved(ledger, payment(2, 0, at_risk_micros=90)) == [(EntryType.AT_RISK, 10)]
    ledger.execute(credit(100, "more"))
    assert ledger.wallet.funds == Funds(200, 130, 0, 90)
    assert moved(ledger, payment(3, 0, at_risk_micros=20)) == [(EntryType.AT_RISK_ENDED, -70)]
    assert moved(ledger, payment(4, 0)) == [(EntryType.AT_RISK_ENDED, -20)]
    assert ledger.wallet.funds == Funds(200, 40)


def test_what_is_at_risk_is_kept_frozen_or_not() -> None:
    ledger = opened(100)
    moved(ledger, payment(1, 0, at_risk_micros=50, blocks_spending=True))
    assert ledger.wallet.funds == Funds(100, 50, 0, 50)


def test_a_reversal_takes_what_is_at_risk_first() -> None:
    ledger = opened(100)
    ledger.execute(payment(1, 50, at_risk_micros=50))
    assert ledger.wallet.funds.available_micros == 100
    ledger.execute(payment(2, 50, 50))
    assert ledger.wallet.funds == Funds(100)


def test_debt_comes_before_what_is_at_risk() -> None:
    ledger = indebted(30)
    ledger.execute(payment(1, 20, at_risk_micros=20))
    assert ledger.wallet.funds == Funds(0, 0, 10)
    ledger.execute(payment(2, 40, at_risk_micros=20))
    assert ledger.wallet.funds == Funds(10, 10, 0, 10)


def test_the_entries_of_a_level_stand_in_one_order() -> None:
    ledger = indebted(30)
    ledger.execute(payment(1, 60, 60, at_risk_micros=5))
    entries = ledger.execute(payment(2, 100, 10, at_risk_micros=70, blocks_spending=True)).entries
    assert [(entry.type, entry.amount_micros) for entry in entries] == [
        (EntryType.PAYMENT, 40),
        (EntryType.REVERSAL_RETURNED, 50),
        (EntryType.FREEZE, 0),
        (EntryType.AT_RISK, 60),
    ]
    entries = ledger.execute(payment(3, 90, 30, at_risk_micros=5)).entries
    assert [(entry.type, entry.amount_micros) for entry in entries] == [
        (EntryType.REVERSAL, -30),
        (EntryType.UNFREEZE, 0),
        (EntryType.AT_RISK_ENDED, -25),
    ]


def test_its_entries_tell_of_the_payment() -> None:
    ledger = indebted(30)
    level = payment(1, 60, at_risk_micros=5)._replace(metadata={"invoice": "7"})
    entries = ledger.execute(level).entries
    assert [entry.type for entry in entries] == [
        EntryType.PAYMENT,
        EntryType.DEBT_REPAYMENT,
        EntryType.AT_RISK,
    ]
    assert {entry.payment_id for entry in entries} == {"stripe:pi_1"}
    assert {entry.reference_id for entry in entries} == {None}
    assert {entry.reference_part for entry in entries} == {None}
    assert [entry.actor for entry in entries] == ["billing_gateway", "", ""]
    assert [entry.description for entry in entries] == ["a payment", "", ""]
    assert [entry.metadata for entry in entries] == [{"invoice": "7"}, None, None]


def test_an_old_revision_or_the_same_again_does_nothing() -> None:
    ledger = opened()
    ledger.execute(payment(5, 100, 10, 5))
    for command in (payment(4, 300), payment(1, 50, 50, blocks_spending=True)):
        effect = ledger.execute(command)
        assert not effect.entries
        assert effect.payment == Payment("stripe:pi_1", 5, 100, 10, 5, blocks_spending=False)
    again = ledger.execute(payment(5, 100, 10, 5))
    assert not again.entries
    assert again.payment is not None
    assert again.payment.revision == 5
    assert ledger.wallet.funds == Funds(90, 5, 0, 5)


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("credited_micros", 101),
        ("reversed_micros", 11),
        ("at_risk_micros", 6),
        ("blocks_spending", True),
    ],
)
def test_a_payments_revision_with_other_content_is_a_conflict_that_names_it(
    field: str, other: Any
) -> None:
    ledger = opened()
    level = payment(5, 100, 10, 5)
    ledger.execute(level)
    error = refused(ledger, level._replace(**{field: other}))
    assert error.reason is ErrorReason.REFERENCE_CONFLICT
    assert error.metadata == {"heldRevision": "5", "differingFields": field}


def test_what_is_reversed_is_at_most_what_was_credited() -> None:
    for revision in (1, 2, 3):
        ledger = opened(100)
        ledger.execute(payment(2, 50))
        error = refused(ledger, payment(revision, 50, 51))
        assert isinstance(error, InvalidArgumentError)
        assert [violation.field for violation in error.violations] == ["reversed_micros"]


def test_a_payment_opens_a_wallet_only_in_the_default_currency() -> None:
    other = payment(1, 5)._replace(currency_code="EUR")
    assert refused(Ledger(), other).reason is ErrorReason.WALLET_NOT_FOUND
    ledger = Ledger()
    ledger.execute(payment(1, 5))
    assert ledger.wallet.currency_code == "USD"
    assert ledger.wallet.funds == Funds(5)
    assert ledger.wallet.level_revision == 1
    in_euros = Ledger()
    in_euros.execute(other._replace(default_currency_code="EUR"))
    assert in_euros.wallet.currency_code == "EUR"


def test_a_payment_that_blocks_spending_freezes_under_its_name_until_it_does_not() -> None:
    ledger = opened(100)
    ledger.execute(payment(1, 5, blocks_spending=True))
    (only,) = ledger.wallet.freezes
    assert only.identity == (FreezeReason.DISPUTE, "stripe:pi_1")
    assert (only.actor, only.note) == ("billing_gateway", "a payment")
    assert only.create_time == ledger.now
    ledger.execute(payment(1, 5, blocks_spending=True, payment_id="other"))
    ledger.execute(payment(2, 5))
    assert [each.reference_id for each in ledger.wallet.freezes] == ["other"]
    assert refused(ledger, debit(1, "message")).reason is ErrorReason.WALLET_FROZEN
    ledger.execute(payment(2, 5, payment_id="other"))
    ledger.execute(debit(1, "message"))


@given(
    st.lists(
        st.one_of(LEVELS, st.sampled_from([freeze("stripe:pi_1"), lift("stripe:pi_1")])),
        max_size=8,
    )
)
def test_a_payments_own_freeze_follows_its_level_and_a_callers_is_the_callers(
    steps: list[ApplyPayment | SetFreeze | LiftFreeze],
) -> None:
    ledger = opened()
    actor = None
    for revision, step in enumerate(steps, start=1):
        match step:
            case SetFreeze():
                ledger.execute(step)
                actor = actor or "anna"
            case LiftFreeze():
                ledger.execute(step)
                actor = None
            case ApplyPayment():
                ledger.execute(step._replace(revision=revision))
                if actor != "anna":
                    actor = "billing_gateway" if step.blocks_spending else None
        assert [each.actor for each in ledger.wallet.freezes] == ([actor] if actor else [])


def test_a_payment_whose_level_was_lost_lifts_its_own_freeze_none_the_less() -> None:
    ledger = opened(100)
    ledger.execute(payment(1, 5, blocks_spending=True))
    # As a repair leaves it: what the entries came to, at no revision.
    lost = Payment("stripe:pi_1", 0, 5, 0, 0, blocks_spending=False)
    ledger.payments[ORGANIZATION_ID, "stripe:pi_1"] = lost
    ledger.execute(payment(2, 5))
    assert not ledger.wallet.freezes


def test_what_is_at_risk_in_all_stays_within_int64() -> None:
    ledger = opened(100)
    ledger.execute(payment(1, 0, at_risk_micros=MICROS_MAX))
    error = refused(ledger, payment(1, 0, at_risk_micros=1, payment_id="other"))
    assert error.reason is ErrorReason.BALANCE_LIMIT_EXCEEDED
    assert error.metadata == {"balanceMicros": "100", "requestedMicros": "1"}
    ledger.execute(payment(2, 0, at_risk_micros=MICROS_MAX - 1))
    ledger.execute(payment(1, 0, at_risk_micros=1, payment_id="other"))


def test_what_reversals_leave_owed_stays_within_int64() -> None:
    ledger = indebted(MICROS_MAX)
    assert ledger.wallet.funds == Funds(0, 0, MICROS_MAX)
    ledger.execute(payment(1, 10))
    ledger.execute(credit(5, "in"))
    ledger.execute(payment(2, 0))
    assert ledger.wallet.funds.owed_micros == MICROS_MAX - 5
    ledger.execute(payment(3, 20, 20))
    assert ledger.wallet.funds.owed_micros == MICROS_MAX - 5
