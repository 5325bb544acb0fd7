"""Keys of what an organization has many of: entries by reference, holds, payments."""

from collections.abc import Iterable
from typing import TypeAlias

# The organization, and an id within it.
Key: TypeAlias = tuple[str, str]


def columns_of(keys: Iterable[Key]) -> tuple[list[str], list[str]]:
    """Return the organizations and the ids, as the arrays that statements take."""
    pairs = sorted(keys)
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]
