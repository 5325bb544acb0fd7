"""Parameters as Stripe's clients write them: a[b][0][c]=value."""

import re
from collections.abc import Iterable
from typing import Any

Form = dict[str, Any]
PART = re.compile(r"[^\[\]]+")


def read_form(pairs: Iterable[tuple[str, object]]) -> Form:
    """Return the parameters in depth; the items of a list by their numbers, as they came."""
    form: Form = {}
    for name, value in pairs:
        *path, last = PART.findall(name)
        place = form
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return form


def texts(form: Form, name: str) -> dict[str, str]:
    """Return what stands below a name, such as metadata."""
    found = form.get(name)
    return {key: str(value) for key, value in found.items()} if isinstance(found, dict) else {}
