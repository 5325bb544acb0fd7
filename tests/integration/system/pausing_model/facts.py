"""What can be known of a service from outside, while calls that change it are under way."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Generic, TypeVar

from libs.levels import SubscriptionLevel, WalletLevel

ValueT = TypeVar("ValueT")
LevelT = TypeVar("LevelT", SubscriptionLevel, WalletLevel)


def now() -> datetime:
    """Return the time, as everybody on this machine has it."""
    return datetime.now(UTC)


class Fact(Generic[ValueT]):
    """The values that something may have had: more than one while a change is under way."""

    def __init__(self, first: ValueT) -> None:
        self._points: list[tuple[datetime, tuple[ValueT, ...]]] = [(now(), (first,))]

    @property
    def possible(self) -> tuple[ValueT, ...]:
        return self._points[-1][1]

    @property
    def value(self) -> ValueT:
        """The one that it has when nothing is under way."""
        (value,) = self.possible
        return value

    def may_become(self, value: ValueT) -> None:
        """To be called before the change is sent."""
        self._note((*self.possible, value))

    def has_become(self, value: ValueT) -> None:
        """To be called when the change is answered."""
        self._note((value,))

    def _note(self, possible: tuple[ValueT, ...]) -> None:
        self._points.append((now(), tuple(dict.fromkeys(possible))))

    def during(self, start: datetime, end: datetime) -> list[ValueT]:
        """Return all that it may have been at any moment from start to end."""
        before = [values for time, values in self._points if time <= start][-1:]
        since = [values for time, values in self._points if start < time <= end]
        return [value for values in (*before, *since) for value in values]


class HeldLevel(Fact[LevelT | None]):
    """Which level a service holds: the newest that was answered, or one newer that was sent."""

    def __init__(self) -> None:
        super().__init__(None)

    @property
    def floor(self) -> int:
        """The revision that it has at least reached."""
        return min(level.revision if level else 0 for level in self.possible)

    def sending(self, level: LevelT) -> None:
        if level.revision > self.floor:
            self.may_become(level)

    def answered(self, stored_revision: int) -> None:
        self._note(
            tuple(each for each in self.possible if each and each.revision >= stored_revision)
            or self.possible
        )


def certain(
    fact: Fact[ValueT], blocks: Callable[[ValueT, datetime], bool], start: datetime, end: datetime
) -> bool:
    """Tell whether it blocked all the time from start to end.

    As time goes on a value that blocks goes on to.
    """
    return all(blocks(value, start) for value in fact.during(start, end))


def flag() -> Fact[bool]:
    """Return what is not set yet."""
    return Fact(first=False)
