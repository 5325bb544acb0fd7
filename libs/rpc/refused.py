"""Who is believed no longer, whatever a certificate says: a file with a line for each."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from libs.rpc.callers import Caller, UnknownCallerError, parse_caller

# Beside the certificates. It need not be there.
REFUSED_FILE: Final = "refused_callers"
COMMENT: Final = "#"


@dataclass(frozen=True, slots=True)
class RefusedCallers:
    """Who they are, and the numbers of the lines that name nobody."""

    callers: frozenset[Caller] = frozenset()
    strange_lines: tuple[int, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """Return them as certificates name them."""
        return frozenset(map(str, self.callers))


def read_refused(directory: Path) -> RefusedCallers:
    """Read the file, every line for itself: a slip in one lets nobody in again. Raises OSError."""
    try:
        content = (directory / REFUSED_FILE).read_text("utf-8-sig", errors="replace")
    except FileNotFoundError:
        return RefusedCallers()
    callers, strange = set[Caller](), list[int]()
    for number, line in enumerate(content.splitlines(), start=1):
        if name := line.partition(COMMENT)[0].strip():
            try:
                callers.add(parse_caller(name))
            except UnknownCallerError:
                strange.append(number)
    return RefusedCallers(frozenset(callers), tuple(strange))
