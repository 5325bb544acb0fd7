"""Reads a Stripe event's envelope, and Stripe's ways to write lists, times and amounts."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from services.billing_gateway.reading import (
    JsonObject,
    UnreadableError,
    get_list,
    get_object,
    optional_word,
    parse_object,
    required_id,
)
from services.billing_gateway.stripe.currencies import to_micros

EVENT_TYPE = re.compile(r"[a-z0-9_.]{1,100}")
CURRENCY = re.compile(r"[a-z]{3}")
TIME_MAX = datetime(2100, 1, 1, tzinfo=UTC)


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
    envelope = parse_object(body)
    if envelope.get("object") != "event":
        raise UnreadableError("the body is not an event")
    event_type = optional_word(envelope, "type")
    if not EVENT_TYPE.fullmatch(event_type):
        raise UnreadableError("the event has no type")
    return StripeEvent(
        event_id=required_id(envelope, "id"),
        event_type=event_type,
        created=_required_time(envelope, "created"),
        livemode=envelope.get("livemode") is True,
        object=get_object(get_object(envelope, "data"), "object"),
    )


def get_data(value: JsonObject, name: str) -> list[JsonObject]:
    """Return the objects of a list as Stripe writes it: {"data": […]}."""
    return get_list(get_object(value, name), "data")


def optional_time(value: JsonObject, name: str) -> datetime | None:
    """Return a time; None if it is absent. Raises if it is there and no time."""
    found = value.get(name)
    if found is None:
        return None
    if type(found) is not int or not 0 <= found <= TIME_MAX.timestamp():
        raise UnreadableError(f"{name} is not a time")
    return datetime.fromtimestamp(found, UTC)


def _required_time(value: JsonObject, name: str) -> datetime:
    found = optional_time(value, name)
    if found is None:
        raise UnreadableError(f"{name} is not a time")
    return found


def required_text(value: JsonObject, name: str) -> str:
    """Return a text of any length, or raise."""
    found = value.get(name)
    if not isinstance(found, str) or not found:
        raise UnreadableError(f"{name} is not a text")
    return found


def required_amount(value: JsonObject, name: str) -> int:
    """Return a whole amount in the currency's smallest unit; never a fraction, never negative."""
    found = value.get(name)
    if type(found) is not int or found < 0:
        raise UnreadableError(f"{name} is not a whole amount")
    return found


def required_currency(value: JsonObject) -> str:
    """Return the currency code as ISO writes it."""
    found = optional_word(value, "currency")
    if not CURRENCY.fullmatch(found):
        raise UnreadableError("currency is not a currency code")
    return found.upper()


def required_money(value: JsonObject, name: str) -> tuple[int, str]:
    """Return an amount in micros, and its currency."""
    amount, currency_code = required_amount(value, name), required_currency(value)
    return to_micros(amount, currency_code), currency_code
