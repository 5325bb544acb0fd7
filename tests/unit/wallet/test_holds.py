"""Holds: money set aside for a message, captured, released, or given back by time."""

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given

from libs.errors import ErrorReason
from services.wallet.domain.commands import Command
from services.wallet.domain.draft import MICROS_MAX
from services.wallet.domain.funds import Funds
from services.wallet.domain.values import EntryType, HoldState
from tests.unit.wallet.ledger import (
    HOUR,
    LATE_WINDOW,
    Ledger,
    capture,
    credit,
    debit,
    freeze,
    opened,
    payment,
    place,
    refused,
    release,
)
from tests.unit.wallet.stories import Story, play, stories, tell

MOMENT = timedelta(microseconds=1)


def held(balance_micros: int, hold_micros: int) -> Ledger:
    """Return a wallet with a hold for an hour."""
    ledger = opened(balance_micros)
    ledger.execute(place(hold_micros))
    return ledger


def expired(balance_micros: int, hold_micros: int) -> Ledger:
    """Return a wallet whose hold has just expired."""
    ledger = held(balance_micros, hold_micros)
    ledger.now += HOUR
    return ledger


@given(stories())
def test_a_hold_tells_what_its_entries_come_to(story: Story) -> None:
    ledger = play(story)
    sums: Counter[tuple[str | None, EntryType]] = Counter()
    for entry in ledger.entries:
        sums[entry.hold_reference_id, entry.type] += entry.amount_micros
    for hold in ledger.holds.values():
        name = hold.reference_id
        freed = sums[name, EntryType.RELEASE] + sums[name, EntryType.EXPIRY]
        left = max(0, hold.amount_micros - hold.captured_micros)
        assert sums[name, EntryType.HOLD] == hold.amount_micros
        assert -sums[name, EntryType.CAPTURE] == hold.captured_micros
        assert hold.remaining_micros == (left if hold.state is HoldState.OPEN else 0)
        assert -freed == 0 if hold.state is HoldState.OPEN else -freed >= left


@given(stories())
def test_no_hold_outlives_its_time(story: Story) -> None:
    for ledger, _ in tell(story):
        is_open = [hold for hold in ledger.holds.values() if hold.state is HoldState.OPEN]
        times = [hold.expire_time for hold in is_open]
        assert all(time > ledger.now for time in times)
        # The row must not sleep past the first of them.
        if times:
            assert ledger.wallet.next_hold_expire_time is not None
            assert ledger.wallet.next_hold_expire_time <= min(times)


def test_a_hold_sets_aside_what_is_available() -> None:
    ledger = opened(100)
    assert refused(ledger, place(101)).reason is ErrorReason.INSUFFICIENT_FUNDS
    (hold,) = ledger.execute(place(80)).holds
    assert hold == ledger.hold("hold")
    assert (hold.state, hold.amount_micros, hold.remaining_micros) == (HoldState.OPEN, 80, 80)
    assert hold.expire_time == ledger.now + HOUR
    assert hold.description == "a message"
    assert ledger.wallet.funds == Funds(100, 80)
    assert refused(ledger, debit(21, "message")).reason is ErrorReason.INSUFFICIENT_FUNDS
    ledger.execute(debit(20, "message"))


def test_many_captures_until_the_final_one_which_frees_the_rest() -> None:
    ledger = held(100, 60)
    ledger.execute(capture(20, "c-1"))
    ledger.execute(capture(15, "c-2"))
    assert ledger.hold("hold").remaining_micros == 25
    effect = ledger.execute(capture(5, "c-3", final=True))

    assert [(entry.type, entry.amount_micros) for entry in effect.entries] == [
        (EntryType.CAPTURE, -5),
        (EntryType.RELEASE, -20),
    ]
    assert [entry.reference_part for entry in effect.entries] == [0, 1]
    assert {entry.hold_reference_id for entry in effect.entries} == {"hold"}
    assert [entry.metadata for entry in effect.entries] == [{"final": "true"}, None]
    assert effect.holds == (ledger.hold("hold"),)
    hold = ledger.hold("hold")
    assert (hold.state, hold.captured_micros, hold.remaining_micros) == (HoldState.CAPTURED, 40, 0)
    assert ledger.wallet.funds == Funds(60)


def test_a_hold_of_which_nothing_remains_stays_open_until_the_final_capture() -> None:
    ledger = held(100, 60)
    ledger.execute(capture(60, "c-1"))
    assert ledger.hold("hold").state is HoldState.OPEN
    effect = ledger.execute(capture(1, "c-2", final=True, allow_excess=True))
    assert [entry.type for entry in effect.entries] == [EntryType.CAPTURE]
    assert ledger.hold("hold").state is HoldState.CAPTURED


def test_more_than_remains_is_captured_only_in_excess() -> None:
    ledger = held(100, 60)
    ledger.execute(capture(20, "c-1"))
    error = refused(ledger, capture(41, "c-2"))
    assert error.reason is ErrorReason.CAPTURE_EXCEEDS_HOLD
    assert error.metadata == {"remainingMicros": "40", "requestedMicros": "41"}
    ledger.execute(capture(40, "c-2"))


@pytest.mark.parametrize(
    ("amount_micros", "after"),
    [
        (60, Funds(70, 20, 0, 20)),
        (90, Funds(40, 20, 0, 20)),
        (110, Funds(20, 20, 0, 20)),
        (120, Funds(10, 10, 0, 10)),
        (130, Funds(0, 0, 0, 0)),
        (131, Funds(0, 0, 1, 0)),
        (200, Funds(0, 0, 70, 0)),
    ],
)
def test_an_excess_takes_what_remains_then_what_is_available_then_what_is_at_risk_then_owes(
    amount_micros: int, after: Funds
) -> None:
    ledger = opened(110)
    ledger.execute(payment(1, 20, at_risk_micros=20))
    ledger.execute(place(60))
    ledger.execute(capture(amount_micros, allow_excess=True))
    assert ledger.wallet.funds == after
    assert ledger.hold("hold").captured_micros == amount_micros


def test_an_excess_leaves_other_holds_alone() -> None:
    ledger = held(100, 60)
    ledger.execute(place(30, "other"))
    ledger.execute(capture(100, allow_excess=True))
    assert ledger.wallet.funds == Funds(30, 30, 30)
    ledger.execute(capture(30, "last", "other"))
    assert ledger.wallet.funds == Funds(0, 0, 30)


@pytest.mark.parametrize("way", ["released", "expired"])
def test_freed_money_repays_debt_first_and_then_covers_what_is_at_risk(way: str) -> None:
    ledger = held(100, 100)
    ledger.execute(payment(1, 40, payment_id="spent"))
    ledger.execute(debit(40, "message"))
    ledger.execute(payment(2, 40, 40, at_risk_micros=25, payment_id="spent"))
    assert ledger.wallet.funds == Funds(100, 100, 40)
    count = len(ledger.entries)
    if way == "expired":
        ledger.now += HOUR
    ledger.execute(release())

    first = EntryType.EXPIRY if way == "expired" else EntryType.RELEASE
    assert [(entry.type, entry.amount_micros) for entry in ledger.entries[count:]] == [
        (first, -100),
        (EntryType.DEBT_REPAYMENT, -40),
        (EntryType.AT_RISK, 25),
    ]
    assert ledger.wallet.funds == Funds(60, 25, 0, 25)
    assert ledger.hold("hold").state is HoldState.RELEASED


@pytest.mark.parametrize(
    ("last", "state"),
    [
        (capture(10, "last", final=True), HoldState.CAPTURED),
        (release(), HoldState.RELEASED),
    ],
)
def test_a_hold_that_is_over_takes_no_captures(last: Command, state: HoldState) -> None:
    for ledger in (held(100, 60), expired(100, 60)):
        ledger.execute(last)
        assert ledger.hold("hold").state is state
        for excess in (False, True):
            error = refused(ledger, capture(1, allow_excess=excess))
            assert error.reason is ErrorReason.HOLD_NOT_OPEN
            assert error.metadata == {"holdReferenceId": "hold", "state": state}


def test_a_hold_is_released_once_and_not_after_its_final_capture() -> None:
    ledger = held(100, 60)
    ledger.execute(capture(20))
    assert ledger.execute(release()).entries[0].amount_micros == -40
    again = ledger.execute(release())
    assert not again.entries
    assert again.holds == (ledger.hold("hold"),)
    ledger = held(100, 60)
    ledger.execute(capture(20, final=True))
    assert refused(ledger, release()).reason is ErrorReason.HOLD_NOT_OPEN


def test_a_hold_that_nobody_placed_is_not_found() -> None:
    for command in (capture(1), release()):
        error = refused(opened(100), command)
        assert error.reason is ErrorReason.HOLD_NOT_FOUND
        assert error.metadata == {"holdReferenceId": "hold"}


def test_a_hold_expires_at_its_time() -> None:
    ledger = held(100, 60)
    ledger.now += HOUR - MOMENT
    ledger.execute(capture(10, "in-time"))
    assert ledger.hold("hold").state is HoldState.OPEN
    assert ledger.wallet.reevaluate_time == ledger.now + MOMENT
    ledger.now += MOMENT
    effect = ledger.execute(credit(1, "whatever"))
    assert ledger.hold("hold").state is HoldState.EXPIRED
    assert ledger.hold("hold").update_time == ledger.now
    assert ledger.wallet.funds == Funds(91)
    assert effect.wallet.reevaluate_time is None
    expiry = next(entry for entry in ledger.entries if entry.type is EntryType.EXPIRY)
    assert (expiry.amount_micros, expiry.hold_reference_id) == (-50, "hold")
    assert expiry.reference_id is None


def test_holds_expire_one_after_the_other() -> None:
    ledger = held(100, 60)
    ledger.execute(place(10, "longer", 3 * HOUR))
    ledger.execute(place(20, "shorter", HOUR / 2))
    for expire_time in (HOUR / 2, HOUR, 3 * HOUR):
        assert ledger.wallet.next_hold_expire_time is not None
        assert ledger.wallet.next_hold_expire_time - ledger.hold("hold").create_time == expire_time
        ledger.now = ledger.wallet.next_hold_expire_time
        ledger.execute(freeze())
    assert ledger.wallet.funds == Funds(100)
    assert ledger.types.count(EntryType.EXPIRY) == 3


def test_late_captures_come_to_no_more_than_the_hold() -> None:
    ledger = held(100, 60)
    ledger.execute(capture(10, "in-time"))
    ledger.now += HOUR
    for excess in (False, True):
        error = refused(ledger, capture(51, "late", allow_excess=excess))
        assert error.reason is ErrorReason.CAPTURE_EXCEEDS_HOLD
        assert error.metadata == {"remainingMicros": "50", "requestedMicros": "51"}
    ledger.execute(capture(30, "late"))
    assert refused(ledger, capture(21, "later")).reason is ErrorReason.CAPTURE_EXCEEDS_HOLD
    ledger.execute(capture(20, "later"))
    assert ledger.hold("hold").state is HoldState.EXPIRED
    assert ledger.hold("hold").captured_micros == 60
    assert refused(ledger, capture(1, "last")).reason is ErrorReason.CAPTURE_EXCEEDS_HOLD


def test_after_an_excess_there_is_nothing_left_to_capture_late() -> None:
    ledger = held(100, 60)
    ledger.execute(capture(70, "excess", allow_excess=True))
    ledger.now += HOUR
    error = refused(ledger, capture(1, "late"))
    assert error.metadata == {"remainingMicros": "0", "requestedMicros": "1"}


def test_a_late_capture_takes_what_is_available_and_owes_the_rest() -> None:
    ledger = expired(100, 60)
    ledger.execute(debit(70, "message"))
    effect = ledger.execute(capture(50, "late", final=True))
    assert [(entry.type, entry.amount_micros) for entry in effect.entries] == [
        (EntryType.CAPTURE, -50)
    ]
    assert ledger.wallet.funds == Funds(0, 0, 20)
    assert ledger.hold("hold").state is HoldState.CAPTURED


def test_the_window_for_late_captures_closes() -> None:
    ledger = held(100, 60)
    ledger.now = ledger.hold("hold").expire_time + LATE_WINDOW - MOMENT
    ledger.execute(capture(1, "just-in-time"))
    ledger.now += MOMENT
    error = refused(ledger, capture(1, "too-late"))
    assert error.reason is ErrorReason.HOLD_NOT_OPEN
    assert error.metadata == {"holdReferenceId": "hold", "state": "EXPIRED"}


def test_a_frozen_wallet_captures_and_releases_and_does_not_place() -> None:
    for ledger in (held(100, 60), expired(100, 60)):
        ledger.execute(freeze())
        assert refused(ledger, place(1, "other")).reason is ErrorReason.WALLET_FROZEN
        ledger.execute(capture(20))
        ledger.execute(release())
        assert ledger.wallet.funds == Funds(80)


def test_what_was_captured_in_all_stays_within_int64() -> None:
    ledger = held(MICROS_MAX, 10)
    ledger.execute(capture(MICROS_MAX, "all", allow_excess=True))
    error = refused(ledger, capture(1, "more", allow_excess=True))
    assert error.reason is ErrorReason.BALANCE_LIMIT_EXCEEDED


def test_what_is_owed_in_all_stays_within_int64() -> None:
    ledger = held(20, 10)
    ledger.execute(place(10, "other"))
    ledger.execute(capture(MICROS_MAX, "first", allow_excess=True))
    assert ledger.wallet.funds == Funds(10, 10, MICROS_MAX - 10)
    error = refused(ledger, capture(21, "second", "other", allow_excess=True))
    assert error.reason is ErrorReason.BALANCE_LIMIT_EXCEEDED
    ledger.execute(capture(20, "second", "other", allow_excess=True))
    assert ledger.wallet.funds == Funds(0, 0, MICROS_MAX)
