"""What may be wrong with a wallet, and a bounded list of what is."""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

# Of each wallet: one that is broken from end to end must not fill the memory. All are counted.
FINDINGS_KEPT_MAX = 100


class FindingKind(StrEnum):
    """What is wrong."""

    ENTRY_CHANGED = "ENTRY_CHANGED"
    ENTRY_MISSING = "ENTRY_MISSING"
    BALANCE_WRONG = "BALANCE_WRONG"
    WALLET_DIFFERS = "WALLET_DIFFERS"
    WALLET_MISSING = "WALLET_MISSING"
    TAIL_CUT = "TAIL_CUT"
    HOLDS_DIFFER = "HOLDS_DIFFER"
    PAYMENTS_DIFFER = "PAYMENTS_DIFFER"


class Finding(NamedTuple):
    """One thing that is wrong, at an entry; with sequence 0 it is about none of them."""

    organization_id: str
    sequence: int
    kind: FindingKind
    detail: str
    repaired: bool = False


class Findings:
    """The first findings, and how many there are of each kind."""

    __slots__ = ("counts", "kept")

    def __init__(self) -> None:
        self.kept: list[Finding] = []
        self.counts: Counter[FindingKind] = Counter()

    def __len__(self) -> int:
        return self.counts.total()

    def add(self, finding: Finding) -> None:
        """Take in one more."""
        self.counts[finding.kind] += 1
        if len(self.kept) < FINDINGS_KEPT_MAX:
            self.kept.append(finding)

    def add_repaired(self, others: "Findings") -> None:
        """Take in others as repaired."""
        room = FINDINGS_KEPT_MAX - len(self.kept)
        self.kept += [finding._replace(repaired=True) for finding in others.kept[:room]]
        self.counts += others.counts

    def joined(self, others: "Findings") -> "Findings":
        """Return these, and after them those."""
        together = self.and_also(others.kept)
        together.counts = self.counts + others.counts
        return together

    def and_also(self, others: Iterable[Finding]) -> "Findings":
        """Return these and others."""
        together = Findings()
        together.kept = list(self.kept)
        together.counts = self.counts.copy()
        for finding in others:
            together.add(finding)
        return together
