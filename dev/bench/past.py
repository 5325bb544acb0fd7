"""Debits that are written past the service as it would have written them: sealed, without a gap."""

import uuid
from collections.abc import Iterable, Sequence

from dev.bench.requests import PRICE_MICROS, organization_of
from services.wallet.domain.chain import ChainKeys
from services.wallet.domain.values import Entry


class Past:
    """What wallets have, and debits that continue it. The measured wallet's last is the pattern."""

    def __init__(self, last_entries: Iterable[Entry], chain_key: str) -> None:
        self._last = {entry.organization_id: entry for entry in last_entries}
        self._pattern = self._last[organization_of(0)]
        self._keys = ChainKeys([chain_key.encode()])

    @property
    def last_entries(self) -> Sequence[Entry]:
        return list(self._last.values())

    def debit(self, organization_id: str) -> Entry:
        last = self._last[organization_id]
        entry = self._pattern._replace(
            organization_id=organization_id,
            sequence=last.sequence + 1,
            balance_after_micros=last.balance_after_micros - PRICE_MICROS,
            reference_id=str(uuid.uuid4()),
        )
        (sealed,) = self._keys.seal([entry], last.chain or b"")
        self._last[organization_id] = sealed
        return sealed
