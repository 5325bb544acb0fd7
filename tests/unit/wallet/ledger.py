"""A wallet without a database: what storage keeps, in memory, around the real books."""

from collections.abc import Sequence
from copy import copy
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import pytest

from libs.errors import DomainError
from services.wallet.domain.chain import ChainKeys
from services.wallet.domain.commands import (
    AdjustBalance,
    ApplyPayment,
    CaptureHold,
    Command,
    Credit,
    Debit,
    LiftFreeze,
    OpenWallet,
    PlaceHold,
    Reevaluate,
    ReleaseHold,
    SetFreeze,
)
from services.wallet.domain.draft import Effect
from services.wallet.domain.funds import Funds
from services.wallet.domain.values import (
    Entry,
    EntryType,
    FreezeReason,
    Hold,
    HoldState,
    Metadata,
    Payment,
    Wallet,
)
from services.wallet.operations.books import Books, NeededKeys
from services.wallet.storage.keys import Key
from services.wallet.storage.wallets import WalletRow

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
LATE_WINDOW = timedelta(hours=72)
KEYS = ChainKeys([b"a key that no database holds"])
ORGANIZATION_ID = "org-1"

Outcome: TypeAlias = Effect | DomainError


def unopened(organization_id: str = ORGANIZATION_ID) -> Wallet:
    """Return a row as it is made."""
    return Wallet(
        organization_id=organization_id,
        currency_code=None,
        funds=Funds(),
        at_risk_micros=0,
        entry_count=0,
        chain=None,
        depleted=True,
        depleted_below_micros=1,
        resume_above_micros=1,
        freezes=(),
        level_revision=0,
        depleted_since=None,
        subscription=None,
        next_hold_expire_time=None,
        create_time=START,
        update_time=START,
    )


class Ledger:
    """One wallet. What is executed together is one transaction, as in a batch."""

    def __init__(self) -> None:
        self.now = START
        self.wallet = unopened()
        self.entries: list[Entry] = []
        self.holds: dict[Key, Hold] = {}
        self.payments: dict[Key, Payment] = {}
        self._earlier: dict[Key, tuple[Entry, ...]] = {}

    def execute(self, command: Command) -> Effect:
        """Carry out one command, or raise the DomainError that refuses it."""
        (outcome,) = self.execute_together([command])
        if isinstance(outcome, DomainError):
            raise outcome
        return outcome

    def execute_together(self, commands: Sequence[Command]) -> list[Outcome]:
        """Carry out commands one after the other."""
        books = Books({ORGANIZATION_ID: WalletRow(self.wallet, self.now)}, KEYS)
        self._load(books, commands)
        self._pass_time(books)
        outcomes = [decide(books, command) for command in commands]
        self._save(books)
        return outcomes

    def copy(self) -> "Ledger":
        """Return one that goes its own way from here on."""
        twin = Ledger()
        vars(twin).update({name: copy(value) for name, value in vars(self).items()})
        return twin

    def hold(self, reference_id: str) -> Hold:
        """Return the hold that was placed under a reference."""
        return self.holds[ORGANIZATION_ID, reference_id]

    @property
    def types(self) -> list[EntryType]:
        """The kinds of all entries."""
        return [entry.type for entry in self.entries]

    def _load(self, books: Books, commands: Sequence[Command]) -> None:
        needs = NeededKeys()
        for command in commands:
            needs.add(ORGANIZATION_ID, command)
        books.load(
            {key: self._earlier[key] for key in needs.references if key in self._earlier},
            {key: self.holds[key] for key in needs.holds if key in self.holds},
            {key: self.payments[key] for key in needs.payments if key in self.payments},
        )

    def _pass_time(self, books: Books) -> None:
        due_time = self.wallet.reevaluate_time
        if due_time is None or due_time > self.now:
            return
        is_open = [hold for hold in self.holds.values() if hold.state is HoldState.OPEN]
        due = [hold for hold in is_open if hold.expire_time <= self.now]
        others = [hold.expire_time for hold in is_open if hold not in due]
        due.sort(key=lambda hold: (hold.expire_time, hold.reference_id))
        books.load({}, {(ORGANIZATION_ID, hold.reference_id): hold for hold in due}, {})
        books.pass_time(ORGANIZATION_ID, tuple(due), min(others, default=None))

    def _save(self, books: Books) -> None:
        """As in the database: the money goes with its entry, the rest where it has changed."""
        self.wallet = next(iter(books.changed_wallets), self.wallet)
        for entry in books.new_entries:
            self._append(entry)
        self.holds |= books.changed_holds
        self.payments |= books.changed_payments

    def note(self, entry: Entry) -> None:
        """Take in the next entry, to be found by its reference."""
        self.entries.append(entry)
        if entry.reference_id is not None:
            key = ORGANIZATION_ID, entry.reference_id
            self._earlier[key] = (*self._earlier.get(key, ()), entry)

    def _append(self, entry: Entry) -> None:
        self.note(entry)
        self.wallet = self.wallet._replace(
            funds=Funds(
                entry.balance_after_micros,
                entry.held_after_micros,
                entry.owed_after_micros,
                self.wallet.funds.kept_micros,
            ),
            entry_count=entry.sequence,
            chain=entry.chain,
            update_time=entry.create_time,
        )


def decide(books: Books, command: Command, organization_id: str = ORGANIZATION_ID) -> Outcome:
    """Return what comes of a command; a refusal, too, is an outcome."""
    try:
        return books.decide(organization_id, command)
    except DomainError as error:
        return error


def refused(ledger: Ledger, command: Command) -> DomainError:
    """Return why a command is refused, having changed nothing."""
    ledger.execute(Reevaluate())
    before = vars(ledger.copy())
    with pytest.raises(DomainError) as caught:
        ledger.execute(command)
    assert vars(ledger) == before
    return caught.value


def opened(balance_micros: int = 0) -> Ledger:
    """Return a wallet with money in it."""
    ledger = Ledger()
    ledger.execute(OpenWallet("USD"))
    if balance_micros:
        ledger.execute(credit(balance_micros, "opening"))
    return ledger


def indebted(owed_micros: int) -> Ledger:
    """Return a wallet whose money was spent, and then reversed."""
    ledger = Ledger()
    ledger.execute(payment(1, owed_micros, payment_id="spent"))
    ledger.execute(debit(owed_micros, "spending"))
    ledger.execute(payment(2, owed_micros, owed_micros, payment_id="spent"))
    return ledger


def debit(amount_micros: int, reference_id: str, metadata: Metadata = None) -> Debit:
    """Return a debit in the wallet's currency."""
    return Debit(amount_micros, "USD", reference_id, "a message", metadata)


def credit(amount_micros: int, reference_id: str, metadata: Metadata = None) -> Credit:
    """Return a top-up in the wallet's currency."""
    return Credit(amount_micros, "USD", reference_id, EntryType.TOP_UP, "a top-up", metadata)


def adjust(delta_micros: int, reference_id: str) -> AdjustBalance:
    """Return a correction in the wallet's currency."""
    return AdjustBalance(delta_micros, "USD", reference_id, "a mistake", "anna")


def payment(
    revision: int,
    credited_micros: int,
    reversed_micros: int = 0,
    at_risk_micros: int = 0,
    *,
    blocks_spending: bool = False,
    payment_id: str = "stripe:pi_1",
) -> ApplyPayment:
    """Return a payment's level in the wallet's currency."""
    return ApplyPayment(
        payment_id,
        revision,
        "USD",
        credited_micros,
        reversed_micros,
        at_risk_micros,
        blocks_spending,
        "a payment",
        None,
        default_currency_code="USD",
    )


def place(amount_micros: int, reference_id: str = "hold", ttl: timedelta = HOUR) -> PlaceHold:
    """Return a hold in the wallet's currency."""
    return PlaceHold(amount_micros, "USD", reference_id, ttl, "a message", None)


def capture(
    amount_micros: int,
    reference_id: str = "capture",
    hold_reference_id: str = "hold",
    *,
    final: bool = False,
    allow_excess: bool = False,
) -> CaptureHold:
    """Return a capture with the default window for late ones."""
    return CaptureHold(
        hold_reference_id, amount_micros, reference_id, final, allow_excess, LATE_WINDOW
    )


def release(hold_reference_id: str = "hold") -> ReleaseHold:
    """Return the release of a hold."""
    return ReleaseHold(hold_reference_id)


def freeze(reference_id: str = "", reason: FreezeReason = FreezeReason.DISPUTE) -> SetFreeze:
    """Return a freeze that a caller sets."""
    return SetFreeze(reason, reference_id, "a note", "anna")


def lift(reference_id: str = "", reason: FreezeReason = FreezeReason.DISPUTE) -> LiftFreeze:
    """Return what lifts the freeze of the same name."""
    return LiftFreeze(reason, reference_id, "a note", "anna")
