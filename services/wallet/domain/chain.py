"""The chain of a wallet's entries: each is sealed with a key that the database does not hold."""

import hmac
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache

from services.wallet.domain.values import Entry

CHAIN_BYTES = 16
CHAIN_START = bytes(CHAIN_BYTES)
NOTHING_RARE = (None, None, None, None, "")


class ChainKeys:
    """Keys that seal and verify: the first seals, all verify, so that they can be rotated."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        # To copy one that has taken its key in is half the work of beginning with the key.
        self._macs = tuple(hmac.new(key, digestmod="sha256") for key in keys)

    @property
    def count(self) -> int:
        """How many keys there are."""
        return len(self._macs)

    def chain_under(self, number: int, entry: Entry, previous: bytes) -> bytes:
        """Return the chain that one of the keys, counted from 0, makes for an entry."""
        return _digest(self._macs[number], entry, previous)

    def seal(self, entries: Iterable[Entry], previous: bytes) -> tuple[Entry, ...]:
        """Return the entries with their chains."""
        sealed = []
        for entry in entries:
            previous = _digest(self._macs[0], entry, previous)
            sealed.append(Entry(*entry[:-1], previous))
        return tuple(sealed)


def _digest(keyed: hmac.HMAC, entry: Entry, previous: bytes) -> bytes:
    mac = keyed.copy()
    mac.update(previous + _content(entry))
    return mac.digest()[:CHAIN_BYTES]


def _content(entry: Entry) -> bytes:
    """Every field but the chain. PostgreSQL's text cannot hold a NUL, so that none runs over."""
    content = (
        f"{entry.organization_id}\0{entry.sequence}\0{entry.type}\0{entry.amount_micros}"
        f"\0{entry.balance_after_micros}\0{entry.held_after_micros}\0{entry.owed_after_micros}"
        f"\0{entry.currency_code}\0{_text_of(entry.create_time)}\0{entry.reference_id or ''}"
        f"\0{entry.reference_part}\0{entry.description}"
    )
    rare = (
        entry.payment_id,
        entry.hold_reference_id,
        entry.freeze_reason,
        entry.freeze_reference_id,
        entry.actor,
    )
    # As JSON, a list and an object: what is absent is told from what is empty.
    if rare != NOTHING_RARE:
        content += f"\0{json.dumps(rare)}"
    if entry.metadata is not None:
        content += f"\0{json.dumps(entry.metadata, sort_keys=True)}"
    return content.encode()


@lru_cache(maxsize=16)
def _text_of(time: datetime) -> str:
    """A batch has one time for all entries of a wallet."""
    return time.isoformat()
