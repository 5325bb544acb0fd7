"""Lists in pages, as Twilio cuts them: each page tells the addresses of its neighbours."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

from dev.simulators.twilio.errors import invalid

SIZE, SIZE_MAX = 50, 1000
DIGITS_MAX = 9
AFTER, BEFORE = "PA", "PB"
OF_PAGES = ("PageSize", "Page", "PageToken")


class Listed(Protocol):
    """What is in a list."""

    @property
    def sid(self) -> str: ...


ListedT = TypeVar("ListedT", bound=Listed)


@dataclass(frozen=True)
class Page:
    """Which part of which list is asked for: by a token, what comes after or before a SID."""

    path: str
    filters: Mapping[str, str]
    size: int
    number: int
    token: str

    @classmethod
    def read(cls, path: str, query: Mapping[str, str]) -> "Page":
        page = cls(
            path=path,
            filters={name: value for name, value in query.items() if name not in OF_PAGES},
            size=min(max(_number(query, "PageSize", SIZE), 1), SIZE_MAX),
            number=_number(query, "Page", 0),
            token=query.get("PageToken", ""),
        )
        if page.number > 0 and not page.token:
            raise invalid("Page")
        return page

    def cut(
        self, listed: Sequence[ListedT], is_wanted: Callable[[ListedT], bool]
    ) -> tuple[list[ListedT], bool]:
        """What is on the page, and whether it is the last.

        A token names a place in the whole list, so that nothing is passed over where what was
        shown is no longer wanted.
        """
        if not self.token:
            return self._first_of(list(filter(is_wanted, listed)))
        kind, sid = self.token[:2], self.token[2:]
        place = next((index for index, each in enumerate(listed) if each.sid == sid), None)
        if place is None or kind not in (AFTER, BEFORE):
            raise invalid("PageToken")
        if kind == AFTER:
            return self._first_of(list(filter(is_wanted, listed[place + 1 :])))
        return list(filter(is_wanted, listed[:place]))[-self.size :], False

    def body(self, shown: Sequence[Listed], *, is_last: bool) -> dict[str, Any]:
        """All that is told of the page, but the things themselves."""
        start = self.number * self.size
        later = None if is_last else self._address(self.number + 1, AFTER + shown[-1].sid)
        earlier = self._address(self.number - 1, BEFORE + shown[0].sid) if start and shown else None
        return {
            "end": start + max(len(shown) - 1, 0),
            "first_page_uri": self._address(0, ""),
            "next_page_uri": later,
            "page": self.number,
            "page_size": self.size,
            "previous_page_uri": earlier,
            "start": start,
            "uri": self._address(self.number, self.token),
        }

    def _first_of(self, rest: list[ListedT]) -> tuple[list[ListedT], bool]:
        return rest[: self.size], len(rest) <= self.size

    def _address(self, number: int, token: str) -> str:
        asked = {**self.filters, "PageSize": self.size, "Page": number}
        return f"{self.path}?{urlencode(asked | ({'PageToken': token} if token else {}))}"


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal() or len(text) > DIGITS_MAX:
        raise invalid(name)
    return int(text)
