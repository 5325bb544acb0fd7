"""Reads JSON of others with distrust: strictly, and every value by its name and type."""

from collections.abc import Mapping
from typing import Any

from libs import strict_json
from libs.ids import ID

JsonObject = Mapping[str, Any]

WORD_LENGTH_MAX = 128


class UnreadableError(ValueError):
    """A value is missing or of another shape than it must be. The message may be shown."""


def parse_object(body: bytes) -> JsonObject:
    """Return the one JSON object that a body is; raise UnreadableError for anything else.

    What two readers may read differently is refused: a key given twice, NaN, bytes that are not
    UTF-8. What is too deep or too long for a parser is unreadable as well.
    """
    try:
        value = strict_json.loads(body.decode())
    except ValueError as error:
        raise UnreadableError("the body is not JSON that can be read") from error
    if not isinstance(value, dict):
        raise UnreadableError("the body is not an object")
    return value


def get_object(value: JsonObject, name: str) -> JsonObject:
    """Return an object; an empty one if it is absent or something else."""
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def get_list(value: JsonObject, name: str) -> list[JsonObject]:
    """Return the objects of a list; none if it is absent or something else."""
    found = value.get(name)
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


def optional_word(value: JsonObject, name: str) -> str:
    """Return a short text, such as a state's name; empty if it is absent or something else."""
    found = value.get(name)
    if not isinstance(found, str) or len(found) > WORD_LENGTH_MAX or not found.isprintable():
        return ""
    return found
