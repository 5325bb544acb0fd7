"""Proves a wallet: reads its entries in their order, and finds what does not follow."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from services.wallet.domain.arithmetic import follows
from services.wallet.domain.chain import ChainKeys
from services.wallet.domain.chain_reader import ChainReader
from services.wallet.domain.draft import MICROS_MAX
from services.wallet.domain.findings import Finding, FindingKind, Findings
from services.wallet.domain.standing import (
    FreezeIdentity,
    Standing,
    Stored,
    compare,
    compare_freezes,
    compare_payments,
)
from services.wallet.domain.told_holds import HOLD_TYPES, ToldHold, ToldHolds, differing
from services.wallet.domain.values import Entry, EntryType, Freeze, FreezeReason, Hold, Wallet

PAYMENT_TYPES = frozenset({EntryType.PAYMENT, EntryType.REVERSAL, EntryType.REVERSAL_RETURNED})
FREEZE_TYPES = frozenset({EntryType.FREEZE, EntryType.UNFREEZE})
NOTED_TYPES = PAYMENT_TYPES | FREEZE_TYPES | HOLD_TYPES
FREEZE_REASONS = frozenset(FreezeReason)


class Verdict(NamedTuple):
    """What came of a proof."""

    organization_id: str
    entry_count: int
    last: Standing
    wallet: Wallet | None
    open: Findings
    repaired: Findings
    repair_time: datetime | None

    @property
    def is_clean(self) -> bool:
        """Tell whether nothing is wrong; what was repaired is not."""
        return not self.open


class WalletProof:
    """Reads a wallet's ledger from its start, or goes on after an entry that was proved before.

    In the latter case nothing is known of what stood before: no REPAIR can be judged, nor single
    holds, payments and freezes.
    """

    __slots__ = (
        "_balance_micros",
        "_currency_code",
        "_held_micros",
        "_in_other_currencies",
        "_open",
        "_owed_micros",
        "_repaired",
        "_stored_otherwise",
        "_time",
        "chain",
        "entry_count",
        "freezes",
        "holds",
        "is_whole",
        "organization_id",
        "paid_micros",
        "position_micros",
        "repair_time",
        "sequence",
    )

    def __init__(
        self, keys: ChainKeys, organization_id: str, proved: Standing | None = None
    ) -> None:
        after = proved or Standing()
        self.organization_id = organization_id
        self.is_whole = proved is None
        self.chain = ChainReader(keys, after.chain)
        self.sequence = after.sequence
        self.entry_count = 0
        self.position_micros = 0
        self.repair_time: datetime | None = None
        self.paid_micros: dict[str, int] = {}
        self.freezes: dict[FreezeIdentity, Freeze] = {}
        self.holds = ToldHolds()
        self._balance_micros = after.balance_micros
        self._held_micros = after.held_micros
        self._owed_micros = after.owed_micros
        self._currency_code = after.currency_code
        self._in_other_currencies: Counter[str] = Counter()
        self._time = after.time
        self._open = Findings()
        self._repaired = Findings()
        # No repair excuses what is stored otherwise now.
        self._stored_otherwise = Findings()

    def read(self, entries: Iterable[Entry]) -> None:
        """Read the next entries."""
        for entry in entries:
            self._read(entry)

    def compare_over(self, over: Mapping[str, ToldHold], stored: Mapping[str, Hold]) -> None:
        """Compare holds that are over with how they are stored; they are not looked at again."""
        for finding in self._compare_holds(over, stored):
            self._stored_otherwise.add(finding)
        for reference_id in over:
            self.holds.over.pop(reference_id, None)

    def conclude(self, stored: Stored, besides: Iterable[Finding] = ()) -> Verdict:
        """Compare with what else is stored, and judge. More may be read after that."""
        found = (
            *compare(self.organization_id, self.last, stored),
            *(self._compare_whole(stored) if self.is_whole and stored.wallet else ()),
        )
        return self.judge_so_far(stored.wallet, (*found, *besides))

    def judge_so_far(self, wallet: Wallet | None, besides: Iterable[Finding] = ()) -> Verdict:
        """Judge by what was read until now."""
        return Verdict(
            self.organization_id,
            self.entry_count,
            self.last,
            wallet,
            self._open.joined(self._stored_otherwise).and_also(besides),
            self._repaired,
            self.repair_time,
        )

    @property
    def is_broken_so_far(self) -> bool:
        """Tell whether something is wrong with the entries, unless a REPAIR is still to come."""
        return bool(self._open)

    @property
    def is_stored_otherwise(self) -> bool:
        """Tell whether something is stored otherwise than the entries tell."""
        return bool(self._stored_otherwise)

    @property
    def last(self) -> Standing:
        """How the wallet stands by the last entry read."""
        return Standing(
            self.sequence,
            self.chain.head,
            self._balance_micros,
            self._held_micros,
            self._owed_micros,
            self._currency_code,
            self._time,
        )

    @property
    def currency_code(self) -> str | None:
        """The currency that most entries are in."""
        first_count = self.entry_count - self._in_other_currencies.total()
        for currency_code, count in self._in_other_currencies.most_common(1):
            if count > first_count:
                return currency_code
        return self._currency_code

    def _read(self, entry: Entry) -> None:
        type_ = entry.type
        is_next = entry.sequence == self.sequence + 1
        if not is_next:
            self._skip_to(entry)
        is_sealed = self.chain.take(entry)
        self.position_micros += entry.moved_micros
        if type_ in NOTED_TYPES and self.is_whole:
            self._note(entry)
        if type_ == EntryType.REPAIR and self.chain.is_in_order:
            self._start_anew(entry)
        else:
            self._judge(entry, is_next=is_next, is_sealed=is_sealed)
        self.sequence = entry.sequence
        self.entry_count += 1
        self._balance_micros = entry.balance_after_micros
        self._held_micros = entry.held_after_micros
        self._owed_micros = entry.owed_after_micros
        self._time = entry.create_time

    def _judge(self, entry: Entry, *, is_next: bool, is_sealed: bool) -> None:
        if entry.currency_code != self._currency_code:
            self._judge_currency(entry)
        # Nothing can follow from what is not there.
        if not is_next:
            return
        if not is_sealed:
            self._find(entry.sequence, FindingKind.ENTRY_CHANGED, "its chain does not seal it")
        if not follows(entry, self._balance_micros, self._held_micros, self._owed_micros):
            self._find(entry.sequence, FindingKind.BALANCE_WRONG, self._contradiction(entry))

    def _judge_currency(self, entry: Entry) -> None:
        if self._currency_code is None:
            self._currency_code = entry.currency_code
            return
        self._in_other_currencies[entry.currency_code] += 1
        detail = f"it is in {entry.currency_code}, and the wallet in {self._currency_code}"
        self._find(entry.sequence, FindingKind.BALANCE_WRONG, detail)

    def _skip_to(self, entry: Entry) -> None:
        self.chain.skip()
        gap = f"entries {self.sequence + 1} to {entry.sequence - 1} are not there"
        self._find(self.sequence + 1, FindingKind.ENTRY_MISSING, gap)

    def _note(self, entry: Entry) -> None:
        if entry.type in PAYMENT_TYPES:
            if entry.payment_id is not None:
                paid_micros = self.paid_micros.get(entry.payment_id, 0)
                self.paid_micros[entry.payment_id] = paid_micros + entry.amount_micros
        elif entry.type in FREEZE_TYPES:
            self._note_freeze(entry)
        elif wrong := self.holds.take(entry):
            self._find(entry.sequence, FindingKind.HOLDS_DIFFER, wrong)

    def _note_freeze(self, entry: Entry) -> None:
        if entry.freeze_reason not in FREEZE_REASONS:
            return
        freeze = Freeze(
            FreezeReason(entry.freeze_reason),
            entry.freeze_reference_id or "",
            entry.description,
            entry.actor,
            entry.create_time,
        )
        self.freezes.pop(freeze.identity, None)
        if entry.type == EntryType.FREEZE:
            self.freezes[freeze.identity] = freeze

    def _start_anew(self, repair: Entry) -> None:
        """Whatever the repair saw is still there: all that was found so far is repaired."""
        if not self.is_whole:
            return
        self._repaired.add_repaired(self._open.and_also(self._told_by(repair)))
        self._open = Findings()
        self.repair_time = repair.create_time
        self._currency_code = repair.currency_code
        self._in_other_currencies.clear()
        self.paid_micros = {name: mended_paid(paid) for name, paid in self.paid_micros.items()}
        if repair.balance_after_micros - repair.owed_after_micros != self.position_micros:
            detail = f"the entries come to {self.position_micros}"
            self._find(repair.sequence, FindingKind.BALANCE_WRONG, detail)

    def _told_by(self, repair: Entry) -> Iterator[Finding]:
        """What was wrong outside of the entries leaves no trace but in the repair's own words."""
        for kind in FindingKind:
            if kind in (repair.metadata or {}) and kind not in self._open.counts:
                yield self._finding(repair.sequence, kind, repair.description)

    def _compare_whole(self, stored: Stored) -> Iterator[Finding]:
        for payment_id, by_entries, by_level in compare_payments(self.paid_micros, stored.payments):
            detail = f"{payment_id!r} comes to {by_entries} by entries, to {by_level} by its level"
            yield self._finding(0, FindingKind.PAYMENTS_DIFFER, detail)
        yield from self._compare_holds(self.holds.open, stored.holds)
        for reference_id, hold in stored.untold_holds.items():
            detail = f"{reference_id!r} is {_text_of(hold)}; no entry has placed it"
            yield self._finding(0, FindingKind.HOLDS_DIFFER, detail)
        if stored.wallet:
            in_row = [freeze.identity for freeze in stored.wallet.freezes]
            for detail in compare_freezes(self.freezes, in_row):
                yield self._finding(0, FindingKind.WALLET_DIFFERS, detail)

    def _compare_holds(
        self, told: Mapping[str, ToldHold], stored: Mapping[str, Hold]
    ) -> Iterator[Finding]:
        for reference_id, (each, hold) in differing(told, stored).items():
            detail = f"{reference_id!r} is {_text_of(hold)}; by its entries {each.text}"
            yield self._finding(0, FindingKind.HOLDS_DIFFER, detail)

    def _find(self, sequence: int, kind: FindingKind, detail: str) -> None:
        self._open.add(self._finding(sequence, kind, detail))

    def _finding(self, sequence: int, kind: FindingKind, detail: str) -> Finding:
        return Finding(self.organization_id, sequence, kind, detail)

    def _contradiction(self, entry: Entry) -> str:
        return (
            f"{entry.type} of {entry.amount_micros} does not lead from balance"
            f" {self._balance_micros}, held {self._held_micros}, owed {self._owed_micros} to"
            f" balance {entry.balance_after_micros}, held {entry.held_after_micros},"
            f" owed {entry.owed_after_micros}"
        )


def mended_paid(paid_micros: int) -> int:
    """Return what a repair takes a payment to have brought: as much of it as a level can say."""
    return min(max(paid_micros, 0), MICROS_MAX)


def _text_of(hold: Hold | None) -> str:
    if hold is None:
        return "not there"
    return (
        f"{hold.state} of {hold.amount_micros}, {hold.remaining_micros} left,"
        f" {hold.captured_micros} captured"
    )
