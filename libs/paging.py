"""Pages of a list: opaque tokens that hold the last row's key, and nothing else."""

import base64
import binascii
import json
from collections.abc import Sequence
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
