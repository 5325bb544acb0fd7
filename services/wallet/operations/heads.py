"""How wallets stood when they were proved last, where the database cannot change it."""

from collections.abc import Iterator, Mapping

from services.wallet.domain.standing import Head, Standing
from services.wallet.domain.verification import Verdict

KNOWN_MAX = 20_000
HEADS_PER_LINE = 100


class KnownHeads:
    """Remembers, as far as there is room: a tail that was cut off is missed here.

    What is missed stays known until the wallet is repaired, so that no proof, no unfreezing and no
    repair takes for clean what this process knows better.
    """

    def __init__(self) -> None:
        self._known: dict[str, Standing] = {}
        self._untold: dict[str, Standing] = {}

    def get(self, organization_id: str) -> Standing | None:
        """Return how a wallet stood."""
        return self._known.get(organization_id)

    def head_of(self, organization_id: str) -> list[Head]:
        """Return the last entry that was proved, as a head that must still be there."""
        match self._known.get(organization_id):
            case Standing(sequence=sequence, chain=bytes(chain), time=time):
                return [Head(organization_id, sequence, chain, time)]
            case _:
                return []

    def all(self) -> list[Head]:
        """Return the heads of all wallets."""
        return [head for name in self._known for head in self.head_of(name)]

    def remember(self, clean: Verdict) -> None:
        """Keep how a wallet stands, in place of the one that has been kept for longest."""
        name, last = clean.organization_id, clean.last
        if not last.sequence or last.chain is None:
            return
        for head in self.head_of(name):
            if head.sequence > last.sequence and not head.is_given_up_by(clean.repair_time):
                return
        if self._known.pop(name, None) != last:
            self._untold[name] = last
        self._known[name] = last
        if len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]

    def take_untold(self) -> Iterator[Mapping[str, str]]:
        """Return the heads that are new since this was asked last, so many at a time."""
        untold, self._untold = list(self._untold.items()), {}
        for start in range(0, len(untold), HEADS_PER_LINE):
            yield {
                name: f"{last.sequence}:{(last.chain or b'').hex()}"
                for name, last in untold[start : start + HEADS_PER_LINE]
            }
