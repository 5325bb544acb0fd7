"""Who is believed no longer, whatever a certificate says: a file with a line for each."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from libs.rpc.callers import UnknownCallerError, parse_caller

# Beside the certificates. It need not be there.
REFUSED_FILE: Final = "refused_callers"
COMMENT: Final = "#"


@dataclass(frozen=True, slots=True)
class RefusedCallers:
    """The names, and the numbers of the lines that are none."""

    names: frozenset[str] = frozenset()
    strange_lines: tuple[int, ...] = ()


def read_refused(directory: Path) -> RefusedCallers:
    """Read the file, every line for itself: a slip in one lets nobody in again. Raises OSError."""
    try:
        content = (directory / REFUSED_FILE).read_text("utf-8-sig", errors="replace")
    except FileNotFoundError:
        return RefusedCallers()
    names, strange = set[str](), list[int]()
    for number, line in enumerate(content.splitlines(), start=1):
        if name := line.partition(COMMENT)[0].strip():
            try:
                names.add(str(parse_caller(name)))
            except UnknownCallerError:
                strange.append(number)
    return RefusedCallers(frozenset(names), tuple(strange))
