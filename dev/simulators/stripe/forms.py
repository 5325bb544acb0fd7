"""Parameters as Stripe's clients write them: a[b][0][c]=value."""

import re
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from dev.simulators.stripe.errors import refused

Form = dict[str, Any]
AskedT = TypeVar("AskedT")
PART = re.compile(r"[^\[\]]+")


def read_form(pairs: Iterable[tuple[str, object]]) -> Form:
    """Return the parameters in depth; the items of a list by their numbers, as they came."""
    form: Form = {}
    for name, value in pairs:
        *path, last = PART.findall(name) or [name]
        place = form
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise refused(f"Invalid {name}: it has a value already.", "parameter_invalid")
        if not isinstance(value, str):
            raise refused(f"Invalid {name}: a file.", "parameter_invalid")
        place[last] = value
    return form


def read(kind: type[AskedT], form: Form) -> AskedT:
    """Return what is asked for, or refuse the first thing that is wrong with it."""
    try:
        return TypeAdapter(kind).validate_python(form)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        top, *below = first["loc"]
        name = "".join([str(top), *(f"[{each}]" for each in below)])
        if first["type"] == "missing":
            raise refused(f"Missing required param: {name}.", "parameter_missing") from error
        raise refused(f"Invalid {name}: {first['msg']}", "parameter_invalid") from error
