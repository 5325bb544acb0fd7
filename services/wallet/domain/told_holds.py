"""What the entries tell of each hold, to be held against the holds as they are stored."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.wallet.domain.draft import MICROS_MAX
from services.wallet.domain.values import Entry, EntryType, Hold, HoldState

HOLD_TYPES = frozenset({EntryType.HOLD, EntryType.CAPTURE, EntryType.RELEASE, EntryType.EXPIRY})
# No entry tells when a hold ends; none lasts longer.
TTL_MAX = timedelta(hours=24)


@dataclass(slots=True)
class ToldHold:
    """One hold by its entries: the one that placed it, and what came of it."""

    placed: Entry
    left_micros: int
    captured_micros: int
    ended: HoldState | None

    @property
    def remaining_micros(self) -> int:
        """What it still holds."""
        return 0 if self.ended else self.left_micros

    @property
    def states(self) -> tuple[HoldState, ...]:
        """What it may be; where nothing is left, not every end leaves an entry."""
        match self.ended:
            case HoldState.CAPTURED | HoldState.RELEASED:
                return (self.ended,)
            case HoldState.EXPIRED:
                return HoldState.EXPIRED, HoldState.RELEASED
            case _ if self.left_micros:
                return (HoldState.OPEN,)
            case _:
                return HoldState.OPEN, HoldState.EXPIRED, HoldState.RELEASED

    @property
    def text(self) -> str:
        """Return what it is, for people."""
        return (
            f"{' or '.join(self.states)} of {self.placed.amount_micros},"
            f" {self.remaining_micros} left, {self.captured_micros} captured"
        )

    @property
    def is_over(self) -> bool:
        """Tell whether nothing can come after it."""
        return self.ended in {HoldState.CAPTURED, HoldState.RELEASED} and not self.left_micros

    def is_stored_as(self, hold: Hold | None) -> bool:
        """Tell whether a hold stands as its entries tell."""
        return (
            hold is not None
            and hold.state in self.states
            and hold.amount_micros == self.placed.amount_micros
            and hold.remaining_micros == self.remaining_micros
            and hold.captured_micros == self.captured_micros
        )

    def mended(self, hold: Hold | None, now: datetime) -> Hold:
        """Return the hold as its entries tell; what they do not tell stays as it is stored.

        One that was lost is made now, which tells that nobody knows how long it was to last.
        """
        placed, states = self.placed, self.states
        stored = hold or Hold(
            organization_id=placed.organization_id,
            reference_id=placed.reference_id or "",
            amount_micros=placed.amount_micros,
            remaining_micros=self.remaining_micros,
            captured_micros=self.captured_micros,
            state=states[0],
            expire_time=placed.create_time + TTL_MAX,
            description=placed.description,
            metadata=placed.metadata,
            create_time=now,
            update_time=now,
        )
        return replace(
            stored,
            amount_micros=placed.amount_micros,
            remaining_micros=self.remaining_micros,
            captured_micros=self.captured_micros,
            state=stored.state if stored.state in states else states[0],
            update_time=now,
        )


class ToldHolds:
    """Follows holds through the entries.

    A wallet may have had more holds than there is memory for: those that are over are to be
    compared soon, and taken out.
    """

    __slots__ = ("open", "over")

    def __init__(self) -> None:
        # All to which something may come yet.
        self.open: dict[str, ToldHold] = {}
        self.over: dict[str, ToldHold] = {}

    def take(self, entry: Entry) -> str | None:
        """Follow the entry of a hold; return what in it contradicts those before it."""
        if entry.type == EntryType.HOLD:
            self._place(entry)
            return None
        reference_id = entry.hold_reference_id or ""
        told = self.open.get(reference_id)
        if told is None:
            return "its hold was not placed, or is over"
        left = told.left_micros
        if entry.type == EntryType.CAPTURE:
            _capture(told, entry)
        else:
            _end(told, entry)
        if told.is_over:
            self.over[reference_id] = self.open.pop(reference_id)
        is_whole = entry.type == EntryType.CAPTURE or left == -entry.amount_micros
        return None if is_whole else f"its hold had {left} left"

    def _place(self, entry: Entry) -> None:
        reference_id = entry.reference_id or ""
        self.over.pop(reference_id, None)
        self.open[reference_id] = ToldHold(entry, entry.amount_micros, 0, None)


def differing(
    told: Mapping[str, ToldHold], stored: Mapping[str, Hold]
) -> dict[str, tuple[ToldHold, Hold | None]]:
    """Return holds that do not stand as their entries tell, and how they stand."""
    return {
        name: (each, stored.get(name))
        for name, each in told.items()
        if not each.is_stored_as(stored.get(name))
    }


def _capture(told: ToldHold, entry: Entry) -> None:
    captured_micros = -entry.amount_micros
    told.left_micros = max(0, told.left_micros - captured_micros)
    told.captured_micros = min(told.captured_micros + captured_micros, MICROS_MAX)
    metadata = entry.metadata
    if isinstance(metadata, Mapping) and metadata.get("final") == "true":
        told.ended = HoldState.CAPTURED


def _end(told: ToldHold, entry: Entry) -> None:
    told.left_micros = 0
    if told.ended is not HoldState.CAPTURED:
        is_expiry = entry.type == EntryType.EXPIRY
        told.ended = HoldState.EXPIRED if is_expiry else HoldState.RELEASED
