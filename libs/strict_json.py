"""JSON that no two readers read differently, and that costs nobody more than its length."""

import json
import math
import re
from typing import Any, NoReturn

# Providers nest ten deep. What is deeper is refused before a parser goes down there.
DEPTH_MAX = 64
NUMBER_LENGTH_MAX = 1000

# A string as a whole, even one without an end: no place of a text is read twice.
STRING_OR_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{\]}]', re.DOTALL)
STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


def loads(text: str) -> Any:
    """Return what a text says.

    Raises ValueError, for a name given twice, for what is too deep, for NaN and for numbers that
    are none to a computer too.
    """
    _require_shallow(text)
    return json.loads(
        text,
        parse_constant=_refuse_constant,
        parse_int=_to_int,
        parse_float=_to_float,
        object_pairs_hook=_to_object,
    )


def _require_shallow(text: str) -> None:
    if text.count("[") + text.count("{") <= DEPTH_MAX:
        return
    depth = 0
    for found in STRING_OR_BRACKET.finditer(text):
        depth += STEPS.get(found[0], 0)
        if depth > DEPTH_MAX:
            raise ValueError(f"more than {DEPTH_MAX} deep")


def _to_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _to_int(digits: str) -> int:
    _require_short(digits)
    return int(digits)


def _to_float(digits: str) -> float:
    _require_short(digits)
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number that is too large")
    return number


def _require_short(digits: str) -> None:
    if len(digits) > NUMBER_LENGTH_MAX:
        raise ValueError("a number that is too long")
