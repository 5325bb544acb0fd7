"""Follows a chain as it is stored and, from where it breaks, as it would be made today."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from services.wallet.domain.chain import CHAIN_START, ChainKeys
from services.wallet.domain.values import Entry, EntryType


class ChainReader:
    """Tells of each entry in turn whether it carries the chain that it should.

    While all is in order, what is stored is what is recomputed. Where it is not, the chain is
    recomputed under each key from there on, over the entries as they stand, chains and all. A
    REPAIR is sealed over that: it proves that what was there then is there still, and the chain
    starts anew.
    """

    __slots__ = ("_folds", "_keys", "_number", "head")

    def __init__(self, keys: ChainKeys, head: bytes | None) -> None:
        """`head` is the chain of the entry before the first."""
        self._keys = keys
        self._number = 0
        self._folds: list[bytes] | None = None
        # As stored with the last entry.
        self.head = head

    def take(self, entry: Entry) -> bool:
        """Follow the next entry; tell whether its chain is the one that it should be."""
        if self._folds is None and self._is_sealed_over(self.head, entry):
            self.head = entry.chain
            return True
        return self._take_broken(entry)

    @property
    def is_in_order(self) -> bool:
        """Tell whether all that was read is proved, by itself or by a REPAIR after it."""
        return self._folds is None

    def skip(self) -> None:
        """Pass a gap: nothing can be sealed over what is not there."""
        self._folds = self._recomputed
        self.head = None

    @property
    def recomputed_head(self) -> bytes:
        """What a REPAIR after all that was read is to be sealed over."""
        return self._recomputed[0]

    @property
    def _recomputed(self) -> list[bytes]:
        return self._folds or [self.head or b""] * self._keys.count

    def _take_broken(self, entry: Entry) -> bool:
        if self._starts_anew(entry):
            self._folds = None
            self.head = entry.chain
            return True
        follows = self._folds is not None and self._is_sealed_over(self.head, entry)
        self._folds = [
            self._keys.chain_under(number, entry, fold + (entry.chain or b""))
            for number, fold in enumerate(self._recomputed)
        ]
        self.head = entry.chain
        return follows

    def _starts_anew(self, entry: Entry) -> bool:
        if self._folds is None or entry.type != EntryType.REPAIR:
            return False
        return any(
            self._keys.chain_under(number, entry, fold) == entry.chain
            for number, fold in enumerate(self._folds)
        )

    def _is_sealed_over(self, previous: bytes | None, entry: Entry) -> bool:
        """Try the key first that was the right one last."""
        if previous is None or entry.chain is None:
            return False
        if self._keys.chain_under(self._number, entry, previous) == entry.chain:
            return True
        for number in range(self._keys.count):
            if self._keys.chain_under(number, entry, previous) == entry.chain:
                self._number = number
                return True
        return False


def are_strange(keys: ChainKeys, ledgers: Iterable[Sequence[Entry]]) -> bool:
    """Tell whether parts of ledgers are sealed, and no entry of them by any of the keys."""
    judged = [is_own for entries in ledgers for is_own in _own_seals(keys, entries)]
    return bool(judged) and not any(judged)


def _own_seals(keys: ChainKeys, entries: Sequence[Entry]) -> Iterator[bool]:
    first = [(CHAIN_START, entry) for entry in entries[:1] if entry.sequence == 1]
    others = [(before.chain, entry) for before, entry in pairwise(entries)]
    for head, entry in (*first, *others):
        if entry.chain is not None:
            yield ChainReader(keys, head).take(entry)
