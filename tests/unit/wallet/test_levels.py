"""What observers are told of a wallet, and when: frozen, depleted, owing."""

from dataclasses import replace

import pytest
from hypothesis import given

from libs.errors import InvalidArgumentError
from libs.levels import WalletLevel
from services.wallet.domain.commands import Command, OpenWallet, SetThresholds
from services.wallet.domain.values import FreezeReason, Wallet
from tests.unit.wallet.ledger import (
    HOUR,
    START,
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
from tests.unit.wallet.stories import Story, stories, tell


def told(wallet: Wallet) -> WalletLevel:
    """Return the level but for its revision."""
    return replace(wallet.level, revision=0)


def growth(ledger: Ledger, command: Command) -> int:
    """Return by how much a command makes the level's revision grow."""
    before = ledger.wallet.level_revision
    ledger.execute(command)
    return ledger.wallet.level_revision - before


@given(stories())
def test_the_revision_grows_exactly_when_what_observers_are_told_changes(story: Story) -> None:
    for ledger, (before, _, _) in tell(story):
        after = ledger.wallet
        changed = told(after) != told(before)
        assert after.level_revision == before.level_revision + changed


@given(stories())
def test_depleted_turns_on_below_one_threshold_and_off_at_the_other(story: Story) -> None:
    for ledger, (before, _, _) in tell(story):
        after = ledger.wallet
        balance = after.funds.balance_micros
        if balance < after.depleted_below_micros:
            assert after.depleted
        elif balance >= after.resume_above_micros:
            assert not after.depleted
        else:
            assert after.depleted is before.depleted
        since = before.depleted_since or ledger.now
        assert after.depleted_since == (since if after.depleted else None)


def test_a_wallet_is_told_of_from_its_opening_on() -> None:
    ledger = Ledger()
    ledger.now += HOUR
    assert growth(ledger, OpenWallet("USD")) == 1
    assert growth(ledger, OpenWallet("USD")) == 0
    assert ledger.wallet.level == WalletLevel(
        revision=1,
        frozen=False,
        freeze_reasons=(),
        depleted=True,
        depleted_since=START + HOUR,
        owing_micros=0,
        currency_code="USD",
    )
    assert ledger.wallet.create_time == START + HOUR


def test_money_that_comes_and_goes_above_the_thresholds_is_told_to_nobody() -> None:
    ledger = opened(100)
    assert growth(ledger, debit(98, "message")) == 0
    assert growth(ledger, place(1)) == 0
    assert growth(ledger, credit(1, "in")) == 0
    assert growth(ledger, debit(2, "another")) == 0
    assert growth(ledger, capture(1)) == 1
    assert ledger.wallet.depleted


def test_each_change_of_the_debt_is_told() -> None:
    ledger = indebted(30)
    assert ledger.wallet.level.owing_micros == 30
    ledger.now += HOUR
    assert growth(ledger, credit(10, "in")) == 1
    assert ledger.wallet.level.owing_micros == 20
    assert ledger.wallet.level.depleted_since == START
    assert growth(ledger, adjust(30, "ticket")) == 1
    assert ledger.wallet.level.owing_micros == 0
    assert growth(ledger, payment(3, 30, 25, payment_id="spent")) == 0


def test_reasons_are_told_once_and_in_a_fixed_order() -> None:
    ledger = opened(100)
    assert growth(ledger, freeze("d-1")) == 1
    assert growth(ledger, freeze("d-2")) == 0
    assert growth(ledger, freeze("", FreezeReason.OPERATOR)) == 1
    assert ledger.wallet.level.freeze_reasons == ("OPERATOR", "DISPUTE")
    assert growth(ledger, lift("d-1")) == 0
    assert growth(ledger, lift("d-2")) == 1
    assert ledger.wallet.level.frozen
    assert growth(ledger, lift("", FreezeReason.OPERATOR)) == 1
    assert not ledger.wallet.level.frozen


def test_money_in_holds_counts_against_depletion() -> None:
    ledger = opened(100)
    ledger.execute(place(100))
    assert not ledger.wallet.depleted


def test_thresholds_are_set_together_until_somebody_sets_them_apart() -> None:
    ledger = opened(100)

    def set_to(below: int | None, resume: int | None) -> tuple[int, int]:
        ledger.execute(SetThresholds(below, resume))
        return ledger.wallet.depleted_below_micros, ledger.wallet.resume_above_micros

    assert set_to(10, None) == (10, 10)
    assert set_to(None, 30) == (10, 30)
    assert set_to(20, None) == (20, 30)
    assert set_to(None, None) == (20, 30)
    assert set_to(5, 6) == (5, 6)


@pytest.mark.parametrize(("below", "resume"), [(31, None), (None, 9), (20, 19)])
def test_a_wallet_resumes_no_lower_than_it_is_depleted(
    below: int | None, resume: int | None
) -> None:
    ledger = opened(100)
    ledger.execute(SetThresholds(10, 30))
    error = refused(ledger, SetThresholds(below, resume))
    assert isinstance(error, InvalidArgumentError)
    assert [violation.field for violation in error.violations] == ["resume_above_micros"]


def test_other_thresholds_take_effect_at_once() -> None:
    ledger = opened(100)
    assert growth(ledger, SetThresholds(101, 200)) == 1
    assert ledger.wallet.depleted
    assert ledger.wallet.depleted_since == ledger.now
    assert growth(ledger, SetThresholds(50, 101)) == 0
    assert ledger.wallet.depleted
    assert growth(ledger, SetThresholds(50, 100)) == 1
    assert not ledger.wallet.depleted
