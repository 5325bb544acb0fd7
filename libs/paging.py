"""Pages of a list: opaque tokens that hold the last row's key, and nothing else."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from libs.errors import invalid_field

PAGE_SIZE_DEFAULT = 50
EPOCH = datetime.fromtimestamp(0, UTC)

ItemT = TypeVar("ItemT")
KeyPart = str | int


@dataclass(frozen=True, slots=True)
class Page(Generic[ItemT]):
    """Some items, and the token of the page after them; empty at the end."""

    items: Sequence[ItemT]
    next_page_token: str


def page_limit(page_size: int) -> int:
    """Return the number of items that were asked for; 0 asks for the default."""
    return page_size or PAGE_SIZE_DEFAULT


def encode_page_token(*key: KeyPart) -> str:
    """Return the token that continues after the row with this key."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def decode_page_token(token: str, *types: type[KeyPart]) -> tuple[KeyPart, ...] | None:
    """Return the key in a token, None for an empty one; raise for one that was made up."""
    if not token:
        return None
    try:
        key = json.loads(base64.b64decode(token.encode(), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise invalid_field("page_token", "is not a token of this list") from error
    if not isinstance(key, list) or [type(part) for part in key] != list(types):
        raise invalid_field("page_token", "is not a token of this list")
    if any(isinstance(part, int) and not 0 <= part < 2**63 for part in key):
        raise invalid_field("page_token", "is not a token of this list")
    if any(isinstance(part, str) and not part.isprintable() for part in key):
        raise invalid_field("page_token", "is not a token of this list")
    return tuple(key)


def time_to_key(time: datetime) -> int:
    """Return a time as exact microseconds for a page token."""
    return (time - EPOCH) // timedelta(microseconds=1)


def key_to_time(micros: int) -> datetime:
    """Return the time in a page token; raise for one that was made up."""
    try:
        return EPOCH + timedelta(microseconds=micros)
    except OverflowError as error:
        raise invalid_field("page_token", "is not a token of this list") from error


@dataclass(frozen=True, slots=True)
class ChangeKey:
    """Where a change stands in a list of the newest first; without a time, before all of them."""

    time: datetime | None = None
    number: int = 0


def page_of(found: Sequence[ItemT], limit: int, token_after: Callable[[ItemT], str]) -> Page[ItemT]:
    """Return so many of what was found, and how the list goes on if there is more."""
    return Page(found[:limit], token_after(found[limit - 1]) if len(found) > limit else "")


def page_of_changes(
    found: Sequence[ItemT], limit: int, key_of: Callable[[ItemT], ChangeKey]
) -> Page[ItemT]:
    """Return so many of the changes found, and how the list goes on if there are more."""

    def token_after(change: ItemT) -> str:
        key = key_of(change)
        assert key.time is not None
        return encode_page_token(time_to_key(key.time), key.number)

    return page_of(found, limit, token_after)


def decode_change_key(token: str) -> ChangeKey:
    """Return where a list of changes goes on; raise for a token that was made up."""
    key = decode_page_token(token, int, int)
    if key is None:
        return ChangeKey()
    micros, number = key
    return ChangeKey(key_to_time(int(micros)), int(number))
