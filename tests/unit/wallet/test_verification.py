"""A ledger proves itself: whatever is tampered with is found, and what was repaired is told so."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from libs.errors import ErrorReason
from services.wallet.domain.chain import CHAIN_START, ChainKeys
from services.wallet.domain.commands import Command
from services.wallet.domain.findings import FINDINGS_KEPT_MAX, FindingKind
from services.wallet.domain.funds import Funds
from services.wallet.domain.repairing import (
    Damage,
    RepairOrder,
    RepairProof,
    mend_payments,
    repair,
)
from services.wallet.domain.standing import Stored
from services.wallet.domain.values import (
    Entry,
    EntryType,
    Freeze,
    FreezeReason,
    Hold,
    HoldState,
    Payment,
    Wallet,
)
from services.wallet.domain.verification import (
    Verdict,
    WalletProof,
)
from tests.unit.wallet.ledger import (
    HOUR,
    KEYS,
    ORGANIZATION_ID,
    START,
    Ledger,
    adjust,
    capture,
    credit,
    debit,
    freeze,
    lift,
    opened,
    payment,
    place,
    refused,
    release,
    unopened,
)

# So few that every story is read in several.
PART = 3
LATER = START + timedelta(days=900)
ORDER = RepairOrder("ticket-7", "anna")
OLD, NEW, NEWEST = (ChainKeys([name.encode()]) for name in ("old", "new", "newest"))


@dataclass
class Books:
    """What a database holds of one wallet."""

    entries: list[Entry]
    wallet: Wallet | None
    payments: dict[str, Payment]
    holds: dict[str, Hold]
    keys: ChainKeys = KEYS

    @property
    def content(self) -> tuple[object, ...]:
        return tuple(self.entries), self.wallet, dict(self.payments), dict(self.holds)

    @property
    def placed(self) -> set[str]:
        """Of which holds the entries tell."""
        placing = [entry for entry in self.entries if entry.type is EntryType.HOLD]
        return {entry.reference_id or "" for entry in placing}

    @property
    def stored(self) -> Stored:
        on_hold = sum(hold.remaining_micros for hold in self.holds.values())
        untold = {
            name: hold
            for name, hold in self.holds.items()
            if name not in self.placed and hold.state in {HoldState.OPEN, HoldState.EXPIRED}
        }
        return Stored(self.wallet, dict(self.payments), on_hold, dict(self.holds), untold)

    def read(self) -> RepairProof:
        """Read in parts, as from a database."""
        proof = RepairProof(self.keys, ORGANIZATION_ID)
        for start in range(0, len(self.entries), PART):
            proof.read(self.entries[start : start + PART])
            proof.compare_over(dict(proof.holds.over), self.holds)
        return proof

    def prove(self) -> Verdict:
        return self.read().conclude(self.stored)

    def repair(self) -> Wallet:
        """Repair as RepairWallet does."""
        proof, stored = self.read(), self.stored
        verdict = proof.conclude(stored)
        for level in mend_payments(proof.paid_micros, self.payments):
            self.payments[level.payment_id] = level
        self.holds |= proof.mend_holds(stored, LATER)
        damage = Damage(proof, verdict, stored._replace(payments=self.payments))
        due = min(
            (each.expire_time for each in self.holds.values() if _is_open(each)), default=None
        )
        before = (self.wallet or unopened())._replace(next_hold_expire_time=due)
        effect = repair(before, damage, ORDER, START)
        self.append(effect.entries, proof.chain.recomputed_head, effect.wallet)
        return effect.wallet

    def append(self, entries: Sequence[Entry], head: bytes, wallet: Wallet) -> None:
        sealed = self.keys.seal(entries, head)
        self.entries += sealed
        self.wallet = wallet._replace(chain=sealed[-1].chain)


def _is_open(hold: Hold) -> bool:
    return hold.state is HoldState.OPEN


def books_of(ledger: Ledger) -> Books:
    return Books(
        list(ledger.entries),
        ledger.wallet,
        {payment_id: level for (_, payment_id), level in ledger.payments.items()},
        {reference_id: hold for (_, reference_id), hold in ledger.holds.items()},
    )


def ledger_of(books: Books) -> Ledger:
    """Return a wallet that goes on from there."""
    assert books.wallet
    ledger = Ledger()
    ledger.now = books.wallet.update_time
    ledger.wallet = books.wallet
    ledger.payments = {(ORGANIZATION_ID, name): each for name, each in books.payments.items()}
    ledger.holds = {(ORGANIZATION_ID, name): each for name, each in books.holds.items()}
    for entry in books.entries:
        ledger.note(entry)
    return ledger


def kinds(verdict: Verdict) -> set[FindingKind]:
    return set(verdict.open.counts)


references = st.sampled_from([f"ref-{number}" for number in range(20)])
names = st.sampled_from(["a", "b"])
amounts = st.integers(1, 1_000)
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(debit, amounts, references, st.none() | st.just({"a": "b"})),
    st.builds(credit, amounts, references),
    st.builds(adjust, st.integers(-50, 50).filter(bool), references),
    st.builds(place, amounts, names),
    st.builds(capture, amounts, references, names, final=st.booleans(), allow_excess=st.booleans()),
    st.builds(release, names),
    st.builds(
        lambda revision, credited, share, at_risk, name: payment(
            revision, credited, credited * share // 4, at_risk, payment_id=name
        ),
        st.integers(1, 9),
        st.integers(0, 900),
        st.integers(0, 4),
        st.integers(0, 300),
        names,
    ),
    st.builds(freeze, names),
    st.builds(lift, names),
)
stories = st.lists(st.tuples(commands, st.integers(0, 30)), min_size=5, max_size=40)


def begun() -> Ledger:
    ledger = opened(2_000)
    ledger.execute(payment(1, 500, payment_id="a"))
    ledger.execute(place(5, "c", 24 * HOUR))
    return ledger


def play(story: Sequence[tuple[Command, int]], ledger: Ledger | None = None) -> Ledger:
    ledger = ledger or begun()
    for command, minutes in story:
        ledger.now += timedelta(minutes=minutes)
        ledger.execute_together([command])
    return ledger


@given(stories)
def test_whatever_commands_have_done_proves_itself(story: Sequence[tuple[Command, int]]) -> None:
    books = books_of(play(story))
    verdict = books.prove()
    assert verdict.is_clean, verdict.open.kept
    assert not verdict.repaired
    assert verdict.entry_count == len(books.entries) == verdict.last.sequence


Tampering = Callable[[Books, Any], None]


def change_entry(books: Books, data: st.DataObject) -> None:
    """Any field of any entry."""
    position = data.draw(st.integers(0, len(books.entries) - 1))
    entry = books.entries[position]
    changes: dict[str, Any] = {
        "amount_micros": entry.amount_micros + 1,
        "balance_after_micros": entry.balance_after_micros + 1,
        "held_after_micros": entry.held_after_micros + 1,
        "owed_after_micros": entry.owed_after_micros + 1,
        "create_time": entry.create_time + timedelta(microseconds=1),
        "type": EntryType.PROMOTION if entry.type is EntryType.TOP_UP else EntryType.TOP_UP,
        "currency_code": "EUR",
        "reference_id": f"{entry.reference_id}x",
        "reference_part": (entry.reference_part or 0) + 1,
        "payment_id": f"{entry.payment_id}x",
        "hold_reference_id": f"{entry.hold_reference_id}x",
        "freeze_reason": FreezeReason.INTEGRITY,
        "freeze_reference_id": f"{entry.freeze_reference_id}x",
        "actor": f"{entry.actor}x",
        "description": f"{entry.description}x",
        "metadata": {"x": "y"},
        "chain": bytes(16),
    }
    name = data.draw(st.sampled_from(sorted(changes)))
    books.entries[position] = entry._replace(**{name: changes[name]})


def remove_entry(books: Books, data: st.DataObject) -> None:
    del books.entries[data.draw(st.integers(0, len(books.entries) - 1))]


def cut_tail(books: Books, data: st.DataObject) -> None:
    del books.entries[data.draw(st.integers(0, len(books.entries) - 1)) :]


def add_entry(books: Books, data: st.DataObject) -> None:
    """Like any that is there, chain and all; the database lets no reference be used again."""
    last = books.entries[-1]
    copied = data.draw(st.sampled_from(books.entries))
    reference_id = copied.reference_id and f"{copied.reference_id}.{last.sequence}"
    books.entries.append(copied._replace(sequence=last.sequence + 1, reference_id=reference_id))
    if data.draw(st.booleans()) and books.wallet:
        funds = Funds(*books.entries[-1][3:6], books.wallet.funds.kept_micros)
        books.wallet = books.wallet._replace(
            entry_count=last.sequence + 1, chain=copied.chain, funds=funds
        )


def change_row(books: Books, data: st.DataObject) -> None:
    assert books.wallet
    funds = books.wallet.funds
    changes: Mapping[str, Any] = {
        "entry_count": books.wallet.entry_count - 1,
        "chain": bytes(16),
        "at_risk_micros": books.wallet.at_risk_micros + 1,
        "currency_code": "EUR",
        "funds": data.draw(
            st.sampled_from(
                [funds._replace(**{name: value + 1}) for name, value in funds._asdict().items()]
            )
        ),
    }
    name = data.draw(st.sampled_from(sorted(changes)))
    books.wallet = books.wallet._replace(**{name: changes[name]})


def change_freezes(books: Books, data: st.DataObject) -> None:
    assert books.wallet
    freezes = books.wallet.freezes
    mine = Freeze(FreezeReason.OPERATOR, f"mine-{len(freezes)}", "", "mallory", START)
    fewer = [tuple(each for each in freezes if each is not gone) for gone in freezes]
    freezes = data.draw(st.sampled_from([*fewer, (*freezes, mine)]))
    books.wallet = books.wallet._replace(freezes=freezes)


def delete_wallet(books: Books, data: st.DataObject) -> None:
    books.wallet = None
    if data.draw(st.booleans()):
        books.payments.clear()
        books.holds.clear()


def change_payment(books: Books, data: st.DataObject) -> None:
    payment_id, level = data.draw(st.sampled_from(sorted(books.payments.items(), key=str)))
    books.payments[payment_id] = data.draw(
        st.sampled_from(
            [
                replace(level, credited_micros=level.credited_micros + 5),
                replace(level, at_risk_micros=level.at_risk_micros + 5),
            ]
        )
    )


def move_between_payments(books: Books, data: st.DataObject) -> None:
    """The sum stays as it was."""
    books.payments["other"] = Payment("other", 1, 5, 0, 0, blocks_spending=False)
    payment_id, level = data.draw(st.sampled_from(sorted(books.payments.items(), key=str)))
    if payment_id != "other":
        books.payments[payment_id] = replace(level, credited_micros=level.credited_micros - 5)


def change_hold(books: Books, data: st.DataObject) -> None:
    """Any number of any hold, or its state as far as that is for the entries to tell."""
    placed = sorted(books.placed & {*books.holds})
    name = data.draw(st.sampled_from(placed))
    hold = books.holds[name]
    told = books.read().holds.open.get(name)
    states = told.states if told else (hold.state,)
    others = [state for state in HoldState if state not in states]
    books.holds[name] = data.draw(
        st.sampled_from(
            [
                replace(hold, amount_micros=hold.amount_micros + 5),
                replace(hold, remaining_micros=hold.remaining_micros + 5),
                replace(hold, captured_micros=hold.captured_micros + 5),
                *(replace(hold, state=state) for state in others),
            ]
        )
    )


def add_hold(books: Books, data: st.DataObject) -> None:
    """No entry has placed it, and it may have nothing."""
    name = f"forged-{len(books.holds)}"
    ledger = opened(5)
    ledger.execute(place(5, name))
    remaining_micros = data.draw(st.integers(0, 5))
    state = HoldState.OPEN if remaining_micros else HoldState.EXPIRED
    books.holds[name] = replace(ledger.hold(name), remaining_micros=remaining_micros, state=state)


def remove_hold(books: Books, data: st.DataObject) -> None:
    del books.holds[data.draw(st.sampled_from(sorted(books.placed & {*books.holds})))]


tamperings = st.sampled_from(
    [
        change_entry,
        remove_entry,
        cut_tail,
        add_entry,
        change_row,
        delete_wallet,
        change_freezes,
        change_payment,
        move_between_payments,
        change_hold,
        add_hold,
        remove_hold,
    ]
)


@given(stories, tamperings, st.data())
def test_any_single_tampering_is_found_and_repaired_in_the_open(
    story: Sequence[tuple[Command, int]], tamper: Tampering, data: st.DataObject
) -> None:
    books = books_of(play(story))
    tamper(books, data)
    found = books.prove()
    assert not found.is_clean
    wallet = books.repair()
    assert FreezeReason.INTEGRITY not in wallet.freeze_reasons
    verdict = books.prove()
    assert verdict.is_clean, verdict.open.kept
    assert kinds(found) <= set(verdict.repaired.counts)
    assert all(finding.repaired for finding in verdict.repaired.kept)


@given(stories, tamperings, tamperings, st.data())
def test_tampering_after_a_repair_is_found_again(
    story: Sequence[tuple[Command, int]],
    tamper: Tampering,
    tamper_again: Tampering,
    data: st.DataObject,
) -> None:
    books = books_of(play(story))
    tamper(books, data)
    books.repair()
    assume(books.payments or tamper_again is not change_payment)
    assume(books.placed or tamper_again not in {change_hold, remove_hold})
    before = books.content
    tamper_again(books, data)
    assume(books.content != before)
    assert not books.prove().is_clean
    books.repair()
    verdict = books.prove()
    assert verdict.is_clean, verdict.open.kept


@given(stories, tamperings, stories, st.data())
def test_a_repaired_wallet_lives_on(
    story: Sequence[tuple[Command, int]],
    tamper: Tampering,
    rest: Sequence[tuple[Command, int]],
    data: st.DataObject,
) -> None:
    books = books_of(play(story))
    tamper(books, data)
    books.repair()
    verdict = books_of(play(rest, ledger_of(books))).prove()
    assert verdict.is_clean, verdict.open.kept


@given(stories, st.data())
def test_what_a_repair_saw_cannot_be_changed_any_more(
    story: Sequence[tuple[Command, int]], data: st.DataObject
) -> None:
    books = books_of(play(story))
    change_entry(books, data)
    before = len(books.entries)
    books.repair()
    position = data.draw(st.integers(0, before - 1))
    entry = books.entries[position]
    books.entries[position] = entry._replace(description=f"{entry.description} once more")
    assert not books.prove().is_clean


@given(stories, st.data())
def test_a_proof_goes_on_from_any_entry(
    story: Sequence[tuple[Command, int]], data: st.DataObject
) -> None:
    books = books_of(play(story))
    middle = data.draw(st.integers(1, len(books.entries)))
    first = WalletProof(KEYS, ORGANIZATION_ID)
    first.read(books.entries[:middle])
    rest = WalletProof(KEYS, ORGANIZATION_ID, first.last)
    rest.read(books.entries[middle:])
    verdict = rest.conclude(books.stored)
    assert verdict.is_clean, verdict.open.kept
    assert verdict.last == books.prove().last


def rotated(entries: Sequence[Entry], *keys: ChainKeys) -> list[Entry]:
    """Return the entries, sealed with one key after the other."""
    sealed: list[Entry] = []
    head = CHAIN_START
    share = -(-len(entries) // len(keys))
    for number, each in enumerate(keys):
        sealed += each.seal(entries[number * share : (number + 1) * share], head)
        head = sealed[-1].chain or CHAIN_START
    return sealed


def story() -> Ledger:
    ledger = opened(100)
    for number in range(8):
        ledger.execute(debit(1, f"message-{number}"))
    return ledger


def test_keys_are_rotated() -> None:
    books = books_of(story())
    books.entries = rotated(books.entries, OLD, NEW, NEWEST)
    assert books.wallet
    books.wallet = books.wallet._replace(chain=books.entries[-1].chain)
    books.keys = ChainKeys([b"newest", b"new", b"old"])
    assert books.prove().is_clean
    books.keys = ChainKeys([b"newest", b"new"])
    assert kinds(books.prove()) == {FindingKind.ENTRY_CHANGED}


@pytest.mark.parametrize("position", range(9))
def test_a_repair_outlasts_a_rotation(position: int) -> None:
    books = books_of(story())
    books.entries = rotated(books.entries, OLD, NEW)
    books.keys = ChainKeys([b"new", b"old"])
    books.entries[position] = books.entries[position]._replace(actor="mallory")
    books.repair()
    assert books.prove().is_clean
    books.keys = ChainKeys([b"newest", b"new", b"old"])
    assert books.prove().is_clean


@pytest.mark.parametrize("unsealed_count", range(1, 10))
def test_whoever_takes_all_seals_away_has_no_ledger_without_them(unsealed_count: int) -> None:
    ledger = story()
    books = books_of(ledger)
    unsealed = [entry._replace(chain=None) for entry in ledger.entries[:unsealed_count]]
    # The service's next entries are sealed over nothing.
    rest = KEYS.seal(ledger.entries[unsealed_count:], CHAIN_START)
    books.entries = [*unsealed, *rest]
    assert books.wallet
    books.wallet = books.wallet._replace(chain=books.entries[-1].chain)
    found = books.prove()
    assert found.open.counts[FindingKind.ENTRY_CHANGED] == unsealed_count + bool(rest)
    books.repair()
    assert books.prove().is_clean
    books.entries[0] = books.entries[0]._replace(actor="mallory")
    assert not books.prove().is_clean


def test_a_chain_that_is_taken_away_is_missed() -> None:
    books = books_of(story())
    books.entries[4] = books.entries[4]._replace(chain=None)
    verdict = books.prove()
    assert [finding.sequence for finding in verdict.open.kept] == [5, 6]


def test_a_wallet_broken_from_end_to_end_is_counted_whole_and_told_in_part() -> None:
    ledger = opened(1_000)
    ledger.execute_together([debit(1, f"message-{number}") for number in range(200)])
    books = books_of(ledger)
    books.keys = OLD
    verdict = books.prove()
    assert len(verdict.open) == 201
    assert len(verdict.open.kept) == FINDINGS_KEPT_MAX
    books.repair()
    assert len(books.prove().repaired) == 201


def test_a_repair_brings_the_position_to_what_the_entries_come_to() -> None:
    books = books_of(story())
    assert books.wallet
    del books.entries[0]
    wallet = books.repair()
    assert wallet.funds == Funds(balance_micros=0, owed_micros=8)
    assert books.entries[-1].description == "ticket-7 [ENTRY_MISSING 1]"
    assert books.entries[-1].metadata == {"ENTRY_MISSING": "1"}


def test_a_repair_lifts_integrity_and_nothing_else() -> None:
    ledger = story()
    ledger.execute(freeze())
    ledger.execute(freeze(reason=FreezeReason.INTEGRITY))
    books = books_of(ledger)
    assert books.wallet
    books.wallet = books.wallet._replace(funds=Funds(77))
    before = books.wallet
    wallet = books.repair()
    assert wallet.freeze_reasons == (FreezeReason.DISPUTE,)
    assert wallet.level_revision > before.level_revision
    assert [entry.type for entry in books.entries[-2:]] == [EntryType.REPAIR, EntryType.UNFREEZE]
    assert wallet.funds == Funds(92)


def test_a_deleted_wallet_comes_back_frozen_as_its_entries_tell() -> None:
    ledger = story()
    ledger.execute(freeze("a"))
    ledger.execute(freeze("b"))
    ledger.execute(lift("a"))
    books = books_of(ledger)
    books.wallet = None
    wallet = books.repair()
    assert [freeze.reference_id for freeze in wallet.freezes] == ["b"]
    assert (wallet.currency_code, wallet.funds) == ("USD", Funds(92))


def test_a_payments_level_that_was_set_back_is_mended_and_credits_nothing_twice() -> None:
    ledger = opened()
    ledger.execute(payment(3, 500, 100))
    books = books_of(ledger)
    books.payments.clear()
    assert kinds(books.prove()) == {FindingKind.PAYMENTS_DIFFER}
    books.repair()
    assert books.payments == {
        "stripe:pi_1": Payment("stripe:pi_1", 0, 400, 0, 0, blocks_spending=False)
    }


def test_a_payment_that_came_to_less_than_nothing_begins_at_nothing_after_a_repair() -> None:
    ledger = opened(1_000)
    ledger.execute(payment(1, 500))
    ledger.execute(payment(2, 500, 100))
    books = books_of(ledger)
    (brought,) = (entry for entry in books.entries if entry.type is EntryType.PAYMENT)
    books.entries.remove(brought)
    books.repair()
    assert books.payments["stripe:pi_1"].credited_micros == 100
    ledger = ledger_of(books)
    ledger.execute(payment(3, 700, 100))
    assert books_of(ledger).prove().is_clean


def test_no_repair_excuses_what_is_done_to_a_hold_after_it() -> None:
    ledger = opened(1_000)
    ledger.execute(place(100))
    ledger.execute(capture(30, final=True))
    for number in range(PART):
        ledger.execute(debit(1, f"message-{number}"))
    books = books_of(ledger)
    books.entries[0] = books.entries[0]._replace(actor="mallory")
    books.repair()
    assert books.prove().is_clean
    books.holds["hold"] = replace(books.holds["hold"], captured_micros=0)
    assert kinds(books.prove()) == {FindingKind.HOLDS_DIFFER}


def test_a_hold_that_no_entry_has_placed_takes_no_late_capture_after_a_repair() -> None:
    ledger = opened(1_000)
    ledger.execute(place(100, ttl=HOUR))
    ledger.now += HOUR
    ledger.execute(debit(1, "message"))
    assert ledger.hold("hold").state is HoldState.EXPIRED
    books = books_of(ledger)
    del books.entries[1:]
    books.repair()
    assert books.prove().is_clean
    assert refused(ledger_of(books), capture(1)).reason is ErrorReason.HOLD_NOT_OPEN


def test_a_hold_that_was_lost_is_made_anew_from_its_entries() -> None:
    ledger = opened(1_000)
    ledger.execute(place(100, ttl=HOUR))
    ledger.execute(capture(30))
    books = books_of(ledger)
    lost = books.holds.pop("hold")
    books.repair()
    assert books.holds["hold"] == replace(
        lost, expire_time=START + 24 * HOUR, create_time=LATER, update_time=LATER
    )


@pytest.mark.parametrize("position", range(9))
def test_a_wallet_keeps_the_currency_of_most_of_its_entries(position: int) -> None:
    books = books_of(story())
    books.entries[position] = books.entries[position]._replace(currency_code="EUR")
    assert books.repair().currency_code == "USD"
    assert books.entries[-1].currency_code == "USD"
    assert books.prove().is_clean


def test_a_wallet_of_which_nothing_is_there_has_nothing_wrong() -> None:
    assert Books([], None, {}, {}).prove().is_clean
    ledger = opened(5)
    ledger.execute(place(5))
    left_over = Books([], None, {}, {"hold": ledger.hold("hold")})
    assert kinds(left_over.prove()) == {FindingKind.WALLET_MISSING}
