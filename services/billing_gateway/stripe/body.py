"""Reads a Stripe event's JSON with distrust: every value is asked for by name and type."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from libs.ids import ID

EVENT_TYPE = re.compile(r"[a-z0-9_.]{1,100}")
TIME_MAX = datetime(2100, 1, 1, tzinfo=UTC)

JsonObject = Mapping[str, Any]


class UnreadableError(ValueError):
    """A value is missing or of another shape than Stripe's."""


@dataclass(frozen=True, slots=True)
class StripeEvent:
    """The envelope of an event, and the object that it is about."""

    event_id: str
    event_type: str
    created: datetime
    livemode: bool
    object: JsonObject


def parse_event(body: bytes) -> StripeEvent:
    """Return the event; raise UnreadableError for anything else."""
    try:
        envelope = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("the body is not JSON") from error
    if not isinstance(envelope, dict) or envelope.get("object") != "event":
        raise UnreadableError("the body is not an event")
    event_type = envelope.get("type")
    if not isinstance(event_type, str) or not EVENT_TYPE.fullmatch(event_type):
        raise UnreadableError("the event has no type")
    return StripeEvent(
        event_id=required_id(envelope, "id"),
        event_type=event_type,
        created=required_time(envelope, "created"),
        livemode=envelope.get("livemode") is True,
        object=get_object(get_object(envelope, "data"), "object"),
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def get_object(value: JsonObject, name: str) -> JsonObject:
    """Return an object; an empty one if it is absent or something else."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def get_objects(value: JsonObject, name: str) -> list[JsonObject]:
    """Return the objects of a list as Stripe writes it: {"data": […]}."""
    found = get_object(value, name).get("data")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def optional_id(value: JsonObject, name: str) -> str:
    """Return an id, or the id of an expanded object; empty if it is absent or malformed."""
    found = value.get(name)
    if isinstance(found, dict):
        found = found.get("id")
    return found if isinstance(found, str) and ID.fullmatch(found) else ""


def required_id(value: JsonObject, name: str) -> str:
    """Return an id, or raise."""
    found = optional_id(value, name)
    if not found:
        raise UnreadableError(f"{name} is not an id")
    return found


def optional_time(value: JsonObject, name: str) -> datetime | None:
    """Return a time; None if it is absent. Raises if it is there and no time."""
    found = value.get(name)
    if found is None:
        return None
    if type(found) is not int or not 0 <= found <= TIME_MAX.timestamp():
        raise UnreadableError(f"{name} is not a time")
    return datetime.fromtimestamp(found, UTC)


def required_time(value: JsonObject, name: str) -> datetime:
    """Return a time, or raise."""
    found = optional_time(value, name)
    if found is None:
        raise UnreadableError(f"{name} is not a time")
    return found


def required_amount(value: JsonObject, name: str) -> int:
    """Return a whole amount in the currency's smallest unit; never a fraction, never negative."""
    found = value.get(name)
    if type(found) is not int or found < 0:
        raise UnreadableError(f"{name} is not a whole amount")
    return found


def required_currency(value: JsonObject) -> str:
    """Return the currency code as ISO writes it."""
    found = value.get("currency")
    if not isinstance(found, str) or not re.fullmatch(r"[a-z]{3}", found):
        raise UnreadableError("currency is not a currency code")
    return found.upper()
