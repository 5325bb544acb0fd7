"""Freezes: a set of reasons, each set and lifted by itself, one of them by the subscription."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given

from libs.errors import DomainError, ErrorReason, InvalidArgumentError
from libs.levels import SubscriptionLevel, SubscriptionState
from services.wallet.domain.commands import ObserveSubscription, OpenWallet, Reevaluate
from services.wallet.domain.decision import Account, decide
from services.wallet.domain.values import Entry, EntryType, Freeze, FreezeReason
from tests.unit.wallet.ledger import (
    HOUR,
    START,
    Ledger,
    credit,
    debit,
    freeze,
    lift,
    opened,
    place,
    refused,
)
from tests.unit.wallet.stories import Story, briefly, stories, tell

GOOD_UNTIL = START + timedelta(days=30)
GOOD = SubscriptionLevel(1, SubscriptionState.ACTIVE, good_standing=True, good_until=GOOD_UNTIL)
BAD = SubscriptionLevel(2, SubscriptionState.PAST_DUE, good_standing=False, good_until=None)


def told(entry: Entry) -> tuple[EntryType, FreezeReason | None, str | None, str, str]:
    """Return what the entry of a freeze tells."""
    return (
        entry.type,
        entry.freeze_reason,
        entry.freeze_reference_id,
        entry.actor,
        entry.description,
    )


@given(stories())
def test_no_money_leaves_a_frozen_wallet(story: Story) -> None:
    seen = 0
    for ledger, (before, _, _) in tell(story):
        was_frozen = bool(before.as_of(ledger.now).freezes)
        types = ledger.types[seen:]
        seen = len(ledger.entries)
        assert not was_frozen or not {EntryType.DEBIT, EntryType.HOLD} & set(types)


@briefly
@given(stories())
def test_the_entries_tell_which_freezes_are_set(story: Story) -> None:
    by_entries: set[tuple[FreezeReason | None, str | None]] = set()
    seen = 0
    for ledger, _ in tell(story):
        for entry in ledger.entries[seen:]:
            identity = entry.freeze_reason, entry.freeze_reference_id
            if entry.type is EntryType.FREEZE:
                assert identity not in by_entries
                by_entries.add(identity)
            elif entry.type is EntryType.UNFREEZE:
                by_entries.remove(identity)
            else:
                assert identity == (None, None)
        seen = len(ledger.entries)
        assert by_entries == {each.identity for each in ledger.wallet.freezes}
        assert ledger.wallet.as_of(ledger.now) == ledger.wallet


def test_freezes_are_a_set_and_each_is_lifted_by_itself() -> None:
    ledger = opened(100)
    for reference in ("", "d-1", "d-1"):
        ledger.execute(freeze(reference))
    ledger.execute(freeze("", FreezeReason.OPERATOR))
    ledger.execute(lift())
    ledger.execute(lift())
    error = refused(ledger, debit(1, "r"))
    assert error.reason is ErrorReason.WALLET_FROZEN
    assert error.metadata == {"freezeReasons": "OPERATOR,DISPUTE"}
    ledger.execute(lift("d-1"))
    assert refused(ledger, place(1)).metadata == {"freezeReasons": "OPERATOR"}
    ledger.execute(lift("", FreezeReason.OPERATOR))
    ledger.execute(debit(1, "r"))
    assert ledger.types.count(EntryType.FREEZE) == ledger.types.count(EntryType.UNFREEZE) == 3


def test_a_freeze_keeps_who_set_it_when_and_why() -> None:
    ledger = opened()
    ledger.execute(freeze("d-1"))
    first_time, ledger.now = ledger.now, ledger.now + HOUR
    ledger.execute(freeze("d-1")._replace(note="again", actor="bob"))
    ledger.execute(lift("d-1", FreezeReason.OPERATOR))
    assert ledger.wallet.freezes == (
        Freeze(FreezeReason.DISPUTE, "d-1", "a note", "anna", first_time),
    )
    ledger.execute(lift("d-1")._replace(note="settled", actor="bob"))
    assert [told(entry) for entry in ledger.entries] == [
        (EntryType.FREEZE, FreezeReason.DISPUTE, "d-1", "anna", "a note"),
        (EntryType.UNFREEZE, FreezeReason.DISPUTE, "d-1", "bob", "settled"),
    ]


def test_a_frozen_wallet_takes_money() -> None:
    ledger = opened()
    ledger.execute(freeze())
    ledger.execute(credit(100, "in"))
    assert ledger.wallet.funds.balance_micros == 100


def test_no_caller_sets_or_lifts_the_subscriptions_freeze() -> None:
    ledger = opened()
    ledger.execute(ObserveSubscription(BAD))
    for command in (freeze, lift):
        error = refused(ledger, command("", FreezeReason.SUBSCRIPTION_INACTIVE))
        assert isinstance(error, InvalidArgumentError)
        assert [violation.field for violation in error.violations] == ["reason"]
    assert ledger.wallet.freezes


def test_an_integrity_freeze_lifts_only_after_a_clean_verification() -> None:
    ledger = opened()
    ledger.execute(freeze("", FreezeReason.INTEGRITY))
    unverified = lift("", FreezeReason.INTEGRITY)
    assert refused(ledger, unverified).reason is ErrorReason.INVALID_STATE
    ledger.execute(unverified._replace(verified=True))
    assert not ledger.wallet.freezes


def test_an_inactive_subscription_freezes_and_an_active_one_lifts_only_that() -> None:
    ledger = opened(100)
    ledger.execute(freeze())
    ledger.execute(ObserveSubscription(BAD))
    assert ledger.wallet.freeze_reasons == ("DISPUTE", "SUBSCRIPTION_INACTIVE")
    lifted = ledger.execute(ObserveSubscription(replace(GOOD, revision=3)))
    assert lifted.wallet.freeze_reasons == ("DISPUTE",)
    inactive = FreezeReason.SUBSCRIPTION_INACTIVE
    assert [told(entry) for entry in ledger.entries[2:]] == [
        (EntryType.FREEZE, inactive, "", "billing_gateway", "subscription is PAST_DUE"),
        (EntryType.UNFREEZE, inactive, "", "billing_gateway", "subscription is ACTIVE"),
    ]


def test_an_old_subscription_level_is_not_taken() -> None:
    ledger = opened(100)
    ledger.execute(ObserveSubscription(replace(GOOD, revision=3)))
    ledger.execute(ObserveSubscription(BAD))
    assert not ledger.wallet.freezes
    other = ObserveSubscription(replace(BAD, revision=3))
    assert refused(ledger, other).reason is ErrorReason.REFERENCE_CONFLICT


def test_a_wallet_opened_after_the_bad_news_is_born_frozen() -> None:
    ledger = Ledger()
    ledger.execute(ObserveSubscription(BAD))
    assert not ledger.entries
    assert ledger.wallet.level_revision == 0
    assert ledger.wallet.reevaluate_time is None
    ledger.execute(OpenWallet("USD"))
    assert ledger.wallet.freeze_reasons == ("SUBSCRIPTION_INACTIVE",)
    assert ledger.types == [EntryType.FREEZE]


def test_good_news_expires_before_anybody_has_acted_on_it() -> None:
    ledger = opened(100)
    ledger.execute(ObserveSubscription(GOOD))
    ledger.now = GOOD_UNTIL - timedelta(microseconds=1)
    ledger.execute(debit(1, "in-time"))
    assert ledger.wallet.reevaluate_time == GOOD_UNTIL
    ledger.now = GOOD_UNTIL
    for command in (debit(1, "late"), place(1)):
        with pytest.raises(DomainError) as caught:
            decide(Account(ledger.wallet), command, ledger.now)
        assert caught.value.reason is ErrorReason.WALLET_FROZEN
    lapsed = ledger.execute(Reevaluate()).wallet
    assert lapsed.freeze_reasons == ("SUBSCRIPTION_INACTIVE",)
    assert lapsed.freezes[0].note == f"subscription was good until {GOOD_UNTIL}"
    assert lapsed.reevaluate_time is None
    assert refused(ledger, debit(1, "late")).reason is ErrorReason.WALLET_FROZEN


@pytest.mark.parametrize(
    ("hold_expire_time", "first"),
    [(GOOD_UNTIL - HOUR, GOOD_UNTIL - HOUR), (GOOD_UNTIL + HOUR, GOOD_UNTIL)],
)
def test_what_time_will_do_first_is_what_it_is_asked_for(
    hold_expire_time: datetime, first: datetime
) -> None:
    ledger = opened(100)
    ledger.execute(ObserveSubscription(GOOD))
    ledger.now = GOOD_UNTIL - 10 * HOUR
    ledger.execute(place(10, ttl=hold_expire_time - ledger.now))
    # Frozen for another reason, it lapses none the less.
    ledger.execute(freeze())
    assert ledger.wallet.reevaluate_time == first
