"""What accounts have: messages, or calls."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from dev.simulators.twilio.errors import not_found


class Belonging(Protocol):
    """What an account has."""

    @property
    def sid(self) -> str: ...

    @property
    def account_sid(self) -> str: ...


BelongingT = TypeVar("BelongingT", bound=Belonging)


class Belongings(Generic[BelongingT]):
    """All of one kind, by the account that has them."""

    def __init__(self, known: Iterable[BelongingT], keep: Callable[[BelongingT], None]) -> None:
        """`keep` is told each that is new or changed."""
        self._of: defaultdict[str, dict[str, BelongingT]] = defaultdict(dict)
        self._account_of: dict[str, str] = {}
        self._keep = keep
        for each in known:
            self._remember(each)

    def put(self, belonging: BelongingT) -> BelongingT:
        self._remember(belonging)
        self._keep(belonging)
        return belonging

    def get(self, account_sid: str, sid: str) -> BelongingT:
        if self._account_of.get(sid) != account_sid:
            raise not_found(sid)
        return self._of[account_sid][sid]

    def find(self, sid: str) -> BelongingT:
        """Whoever has it."""
        return self.get(self._account_of.get(sid, ""), sid)

    def newest_first(self, account_sid: str) -> list[BelongingT]:
        return list(reversed(self._of[account_sid].values())) if account_sid in self._of else []

    def clear(self) -> None:
        self._of.clear()
        self._account_of.clear()

    def _remember(self, belonging: BelongingT) -> None:
        self._of[belonging.account_sid][belonging.sid] = belonging
        self._account_of[belonging.sid] = belonging.account_sid
