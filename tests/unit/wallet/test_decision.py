"""The rules about money, by properties: random commands against the one pure decision."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import DomainError, ErrorReason, InvalidArgumentError
from libs.levels import SubscriptionLevel, SubscriptionState
from services.wallet.domain.commands import (
    ApplyPayment,
    Command,
    Credit,
    Debit,
    LiftFreeze,
    ObserveSubscription,
    OpenWallet,
    Reevaluate,
    SetFreeze,
)
from services.wallet.domain.decision import BALANCE_MICROS_MAX, Account, Effect, decide
from services.wallet.domain.values import Entry, EntryType, FreezeReason, Payment, Wallet

START = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = SubscriptionLevel(
    1, SubscriptionState.ACTIVE, good_standing=True, good_until=START + timedelta(days=30)
)
BAD = SubscriptionLevel(2, SubscriptionState.PAST_DUE, good_standing=False, good_until=None)


def unopened() -> Wallet:
    return Wallet(
        organization_id="org-1",
        currency_code=None,
        balance_micros=0,
        freezes=(),
        entry_count=0,
        level_revision=0,
        depleted_since=None,
        subscription=None,
        create_time=START,
        update_time=START,
    )


class Ledger:
    """What storage keeps, in memory, around the real decision."""

    def __init__(self, wallet: Wallet | None = None) -> None:
        self.wallet = wallet or unopened()
        self.entries: list[Entry] = []
        self.payments: dict[str, Payment] = {}
        self.now = START

    def execute(self, command: Command) -> Effect:
        reference = getattr(command, "reference_id", None)
        is_posting = isinstance(command, (Debit, Credit))
        earlier = [e for e in self.entries if is_posting and e.reference_id == reference]
        payment = (
            self.payments.get(command.payment_id) if isinstance(command, ApplyPayment) else None
        )
        effect = decide(Account(self.wallet, tuple(earlier), payment), command, self.now)
        self.wallet = effect.wallet
        self.entries += effect.entries if not effect.replayed else ()
        if effect.payment is not None:
            self.payments[effect.payment.payment_id] = effect.payment
        return effect


def opened(balance_micros: int = 0) -> Ledger:
    ledger = Ledger()
    ledger.execute(OpenWallet("USD"))
    if balance_micros:
        ledger.execute(credit(balance_micros, "opening"))
    return ledger


def debit(amount_micros: int, reference_id: str) -> Debit:
    return Debit(amount_micros, "USD", reference_id, "", {})


def credit(amount_micros: int, reference_id: str) -> Credit:
    return Credit(amount_micros, "USD", reference_id, EntryType.TOP_UP, "", {})


def payment(revision: int, credited_micros: int, payment_id: str = "stripe:pi_1") -> ApplyPayment:
    return ApplyPayment(payment_id, revision, "USD", credited_micros, "", {}, "USD")


def freeze(reference_id: str = "") -> SetFreeze:
    return SetFreeze(FreezeReason.DISPUTE, reference_id, "note", "anna")


def lift(reference_id: str = "") -> LiftFreeze:
    return LiftFreeze(FreezeReason.DISPUTE, reference_id, "note", "anna")


def refused(ledger: Ledger, command: Command) -> DomainError:
    before = ledger.wallet
    with pytest.raises(DomainError) as caught:
        ledger.execute(command)
    assert ledger.wallet == before
    return caught.value


references = st.sampled_from([f"ref-{number}" for number in range(8)])
amounts = st.integers(1, 1_000)
levels = st.builds(
    SubscriptionLevel,
    revision=st.integers(1, 50),
    state=st.sampled_from(SubscriptionState),
    good_standing=st.booleans(),
    good_until=st.none() | st.integers(0, 40).map(lambda days: START + timedelta(days=days)),
)
commands = st.one_of(
    st.builds(debit, amounts, references),
    st.builds(credit, amounts, references),
    st.builds(payment, st.integers(1, 9), st.integers(0, 900), st.sampled_from(["p-1", "p-2"])),
    st.builds(freeze, st.sampled_from(["", "d-1"])),
    st.builds(lift, st.sampled_from(["", "d-1"])),
    st.builds(ObserveSubscription, levels),
    st.just(Reevaluate()),
)
steps = st.lists(st.tuples(commands, st.integers(0, 5)), max_size=60)


def play(story: Sequence[tuple[Command, int]]) -> Ledger:
    ledger = opened()
    for command, days in story:
        ledger.now += timedelta(days=days)
        before = ledger.wallet
        try:
            effect = ledger.execute(command)
        except DomainError:
            continue
        assert (effect.wallet.level_revision > before.level_revision) == (
            replace(effect.wallet.level, revision=0) != replace(before.level, revision=0)
        )
    return ledger


@given(steps)
def test_every_ledger_adds_up_and_never_goes_below_zero(
    story: Sequence[tuple[Command, int]],
) -> None:
    ledger = play(story)
    balance = 0
    for number, entry in enumerate(ledger.entries, start=1):
        balance += entry.amount_micros
        assert entry.sequence == number
        assert entry.balance_after_micros == balance >= 0
    assert ledger.wallet.balance_micros == balance
    assert ledger.wallet.entry_count == len(ledger.entries)
    assert [e.create_time for e in ledger.entries] == sorted(e.create_time for e in ledger.entries)


@given(steps)
def test_a_reference_has_one_effect_for_ever(story: Sequence[tuple[Command, int]]) -> None:
    ledger = play(story)
    used = [entry.reference_id for entry in ledger.entries if entry.reference_id is not None]
    assert len(used) == len(set(used))


@given(steps)
def test_no_money_leaves_a_frozen_wallet(story: Sequence[tuple[Command, int]]) -> None:
    ledger = opened(10_000)
    for command, days in story:
        ledger.now += timedelta(days=days)
        seen = ledger.wallet.as_of(ledger.now)
        balance = ledger.wallet.balance_micros
        try:
            ledger.execute(command)
        except DomainError:
            continue
        assert not (seen.freezes and ledger.wallet.balance_micros < balance)


@given(st.permutations([payment(n, 100 * n) for n in range(1, 6)]))
def test_a_payments_level_ends_as_its_newest_revision_in_any_order(
    order: Sequence[ApplyPayment],
) -> None:
    ledger = opened()
    for command in [*order, *order]:
        ledger.execute(command)
    assert ledger.wallet.balance_micros == 500
    assert ledger.payments["stripe:pi_1"] == Payment("stripe:pi_1", 5, 500)


def test_a_replay_comes_before_every_other_rule() -> None:
    ledger = opened(100)
    first = ledger.execute(debit(100, "msg-1"))
    ledger.execute(freeze())

    again = ledger.execute(debit(100, "msg-1"))

    assert again.replayed
    assert again.entries == first.entries


def test_a_rejected_reference_may_be_used_again() -> None:
    ledger = opened()
    assert refused(ledger, debit(100, "msg-1")).reason is ErrorReason.INSUFFICIENT_FUNDS
    ledger.execute(credit(100, "in"))
    assert not ledger.execute(debit(100, "msg-1")).replayed


@pytest.mark.parametrize(
    ("other", "fields"),
    [
        (debit(99, "ref"), "amount_micros"),
        (credit(100, "ref"), "type,amount_micros"),
        (replace(debit(100, "ref"), currency_code="EUR"), "currency_code"),
        (replace(debit(100, "ref"), description="other"), "description"),
        (replace(debit(100, "ref"), metadata={"a": "b"}), "metadata"),
    ],
)
def test_a_reference_with_other_content_is_a_conflict_that_names_it(
    other: Command, fields: str
) -> None:
    ledger = opened(100)
    ledger.execute(debit(100, "ref"))
    error = refused(ledger, other)
    assert error.reason is ErrorReason.REFERENCE_CONFLICT
    assert error.metadata["differingFields"] == fields


def test_a_credit_that_would_pass_int64_is_refused() -> None:
    ledger = opened(BALANCE_MICROS_MAX)
    assert refused(ledger, credit(1, "more")).reason is ErrorReason.BALANCE_LIMIT_EXCEEDED


def test_money_of_another_currency_is_refused() -> None:
    ledger = opened(100)
    for command in (
        replace(debit(1, "r"), currency_code="EUR"),
        replace(credit(1, "r"), currency_code="EUR"),
        replace(payment(1, 1), currency_code="EUR"),
        OpenWallet("EUR"),
    ):
        assert refused(ledger, command).reason is ErrorReason.CURRENCY_MISMATCH


def test_freezes_are_a_set_and_each_is_lifted_by_itself() -> None:
    ledger = opened(100)
    for reference in ("", "d-1", "d-1"):
        ledger.execute(freeze(reference))
    ledger.execute(lift())
    assert refused(ledger, debit(1, "r")).reason is ErrorReason.WALLET_FROZEN
    ledger.execute(lift("d-1"))
    ledger.execute(debit(1, "r"))
    types = [entry.type for entry in ledger.entries]
    assert types.count(EntryType.FREEZE) == types.count(EntryType.UNFREEZE) == 2


def test_no_caller_sets_or_lifts_the_subscriptions_freeze() -> None:
    ledger = opened()
    ledger.execute(ObserveSubscription(BAD))
    for command_type in (SetFreeze, LiftFreeze):
        command = command_type(FreezeReason.SUBSCRIPTION_INACTIVE, "", "", "")
        assert isinstance(refused(ledger, command), InvalidArgumentError)
    assert ledger.wallet.freezes


def test_an_inactive_subscription_freezes_and_an_active_one_lifts_only_that() -> None:
    ledger = opened(100)
    ledger.execute(freeze())
    ledger.execute(ObserveSubscription(BAD))
    assert ledger.wallet.freeze_reasons == ("DISPUTE", "SUBSCRIPTION_INACTIVE")
    lifted = ledger.execute(ObserveSubscription(replace(GOOD, revision=3)))
    assert lifted.wallet.freeze_reasons == ("DISPUTE",)


def test_a_wallet_opened_after_the_bad_news_is_born_frozen() -> None:
    ledger = Ledger()
    ledger.execute(ObserveSubscription(BAD))
    ledger.execute(OpenWallet("USD"))
    assert ledger.wallet.freeze_reasons == ("SUBSCRIPTION_INACTIVE",)


def test_without_a_subscription_level_money_that_was_paid_may_be_spent() -> None:
    ledger = opened(100)
    ledger.execute(debit(100, "r"))
    assert ledger.wallet.depleted


def test_good_news_expires_before_anybody_has_acted_on_it() -> None:
    ledger = opened(100)
    ledger.execute(ObserveSubscription(GOOD))
    assert GOOD.good_until is not None
    ledger.now = GOOD.good_until - timedelta(microseconds=1)
    ledger.execute(debit(1, "in-time"))
    ledger.now = GOOD.good_until
    assert refused(ledger, debit(1, "late")).reason is ErrorReason.WALLET_FROZEN
    assert ledger.wallet.reevaluate_time == GOOD.good_until
    ledger.execute(Reevaluate())
    assert ledger.wallet.freeze_reasons == ("SUBSCRIPTION_INACTIVE",)
    assert ledger.wallet.reevaluate_time is None


def test_a_payment_opens_a_wallet_only_in_the_default_currency() -> None:
    assert (
        refused(Ledger(), replace(payment(1, 5), currency_code="EUR")).reason
        is ErrorReason.WALLET_NOT_FOUND
    )
    ledger = Ledger()
    ledger.execute(payment(1, 5))
    assert ledger.wallet.currency_code == "USD"
    assert ledger.wallet.balance_micros == 5


def test_a_payments_revision_with_other_content_is_a_conflict() -> None:
    ledger = opened()
    ledger.execute(payment(2, 5))
    assert refused(ledger, payment(2, 6)).reason is ErrorReason.REFERENCE_CONFLICT
    assert refused(ledger, payment(3, 4)).reason is ErrorReason.INVALID_STATE
    assert ledger.execute(payment(1, 4)).payment == Payment("stripe:pi_1", 2, 5)
