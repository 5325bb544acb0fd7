"""Proves a wallet: reads its entries in their order, and finds what does not follow."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from services.wallet.domain.arithmetic import follows
from services.wallet.domain.chain import ChainKeys
from services.wallet.domain.chain_reader import ChainReader
from services.wallet.domain.findings import Finding, FindingKind, Findings
from services.wallet.domain.standing import Standing, Stored, compare
from services.wallet.domain.values import (
    INTERNAL_TYPES,
    Entry,
    EntryType,
    Freeze,
    FreezeReason,
    Wallet,
)

PAYMENT_TYPES = frozenset({EntryType.PAYMENT, EntryType.REVERSAL, EntryType.REVERSAL_RETURNED})
NOTED_TYPES = PAYMENT_TYPES | {EntryType.FREEZE, EntryType.UNFREEZE}
FREEZE_REASONS = frozenset(FreezeReason)

# In a REPAIR's metadata: by how much the levels of payments are more than their entries tell.
UNEXPLAINED_PAID = "unexplained_paid_micros"


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

    In the latter case nothing is known of what stood before: no REPAIR can be judged, nor what was
    paid in all.
    """

    __slots__ = (
        "_balance_micros",
        "_currency_code",
        "_held_micros",
        "_open",
        "_owed_micros",
        "_repaired",
        "_time",
        "_unexplained_paid_micros",
        "chain",
        "entry_count",
        "freezes",
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
        self.paid_micros = 0
        self.repair_time: datetime | None = None
        self.freezes: dict[tuple[FreezeReason, str], Freeze] = {}
        self._unexplained_paid_micros = 0
        self._balance_micros = after.balance_micros
        self._held_micros = after.held_micros
        self._owed_micros = after.owed_micros
        self._currency_code = after.currency_code
        self._time = after.time
        self._open = Findings()
        self._repaired = Findings()

    def read(self, entries: Iterable[Entry]) -> None:
        """Read the next entries."""
        for entry in entries:
            self._read(entry)

    def conclude(self, stored: Stored, besides: Iterable[Finding] = ()) -> Verdict:
        """Compare with what else is stored, and judge. More may be read after that."""
        found = (*compare(self.organization_id, self.last, stored), *self._compare_paid(stored))
        return self.judge_so_far(stored.wallet, (*found, *besides))

    def judge_so_far(self, wallet: Wallet | None, besides: Iterable[Finding] = ()) -> Verdict:
        """Judge by what was read until now."""
        return Verdict(
            self.organization_id,
            self.entry_count,
            self.last,
            wallet,
            self._open.and_also(besides),
            self._repaired,
            self.repair_time,
        )

    @property
    def is_broken_so_far(self) -> bool:
        """Tell whether something is wrong that only a REPAIR could still excuse."""
        return bool(self._open)

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

    def _read(self, entry: Entry) -> None:
        type_ = entry.type
        is_next = entry.sequence == self.sequence + 1
        if not is_next:
            self._skip_to(entry)
        is_sealed = self.chain.take(entry)
        if type_ not in INTERNAL_TYPES:
            self.position_micros += entry.amount_micros
        if type_ in NOTED_TYPES:
            self._note(entry)
        if type_ == EntryType.REPAIR and self.chain.is_in_order:
            self._start_anew(entry)
        elif is_next:
            if not is_sealed:
                self._find(entry.sequence, FindingKind.ENTRY_CHANGED, "its chain does not seal it")
            if not follows(entry, self._balance_micros, self._held_micros, self._owed_micros):
                self._find(entry.sequence, FindingKind.BALANCE_WRONG, self._contradiction(entry))
        self.sequence = entry.sequence
        self.entry_count += 1
        self._balance_micros = entry.balance_after_micros
        self._held_micros = entry.held_after_micros
        self._owed_micros = entry.owed_after_micros
        self._currency_code = entry.currency_code
        self._time = entry.create_time

    def _skip_to(self, entry: Entry) -> None:
        self.chain.skip()
        gap = f"entries {self.sequence + 1} to {entry.sequence - 1} are not there"
        self._find(self.sequence + 1, FindingKind.ENTRY_MISSING, gap)

    def _note(self, entry: Entry) -> None:
        if entry.type in PAYMENT_TYPES:
            self.paid_micros += entry.amount_micros
        elif entry.freeze_reason in FREEZE_REASONS:
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
        self._unexplained_paid_micros = int((repair.metadata or {}).get(UNEXPLAINED_PAID, 0))
        if repair.balance_after_micros - repair.owed_after_micros != self.position_micros:
            detail = f"the entries come to {self.position_micros}"
            self._find(repair.sequence, FindingKind.BALANCE_WRONG, detail)

    def _told_by(self, repair: Entry) -> Iterator[Finding]:
        """What was wrong outside of the entries leaves no trace but in the repair's own words."""
        for kind in FindingKind:
            if kind in (repair.metadata or {}) and kind not in self._open.counts:
                yield Finding(self.organization_id, repair.sequence, kind, repair.description)

    def _find(self, sequence: int, kind: FindingKind, detail: str) -> None:
        self._open.add(Finding(self.organization_id, sequence, kind, detail))

    def _contradiction(self, entry: Entry) -> str:
        return (
            f"{entry.type} of {entry.amount_micros} does not lead from balance"
            f" {self._balance_micros}, held {self._held_micros}, owed {self._owed_micros} to"
            f" balance {entry.balance_after_micros}, held {entry.held_after_micros},"
            f" owed {entry.owed_after_micros}"
        )

    def _compare_paid(self, stored: Stored) -> Iterator[Finding]:
        paid_micros = self.paid_micros + self._unexplained_paid_micros
        if self.is_whole and stored.wallet and paid_micros != stored.paid_micros:
            detail = f"payments come to {paid_micros} by entries, to {stored.paid_micros} by levels"
            yield Finding(self.organization_id, 0, FindingKind.PAYMENTS_DIFFER, detail)
