"""PayPal's times: RFC 3339 in many spellings, now and then a date that does not exist."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from services.billing_gateway.reading import JsonObject

FORM = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
YEARS = range(1990, 2100)


def parse_time(value: object) -> datetime | None:
    """Return a time, UTC where it names no zone; None if it is none, or an impossible one."""
    if not isinstance(value, str) or not FORM.fullmatch(value):
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    if time.year not in YEARS:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def first_time(value: JsonObject, names: Iterable[str]) -> datetime | None:
    """Return the first of these that is a time."""
    times = (parse_time(value.get(name)) for name in names)
    return next((time for time in times if time is not None), None)
