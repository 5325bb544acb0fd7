"""Checks requests against the rules that stand beside their fields in the protos."""

import math
import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from libs.currencies import ISO_4217
from libs.errors import FieldViolation, InvalidArgumentError, invalid_field
from libs.ids import ID
from tollgate.options.v1 import rules_pb2

# In bytes of UTF-8, so that a page of 500 stays below the 4 MiB that gRPC's clients take.
STRING_BYTES_MAX = 1000
BYTES_MAX = 1000
MAP_BYTES_MAX = 2000
MAP_ENTRIES_MAX = 20
MAP_KEY_LENGTH_MAX = 64
# The years 1900 to 9998: at both ends of its own range PostgreSQL's driver reads infinities.
TIMESTAMP_SECONDS_MIN = -2_208_988_800
TIMESTAMP_SECONDS_MAX = 253_370_764_799
# What a Duration may hold: 10 000 years.
DURATION_SECONDS_MIN = -315_576_000_000
DURATION_SECONDS_MAX = 315_576_000_000
NANOS_PER_SECOND = 1_000_000_000
# Who may name a user there names a host that looks like another: https://bank.example@evil.example.
URL = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:[/?#][!-~]*)?")

FORMATS: dict[rules_pb2.Format.ValueType, tuple[Callable[[str], object], str]] = {
    rules_pb2.FORMAT_ID: (
        ID.fullmatch,
        "must be 1 to 128 characters of A-Z a-z 0-9 . _ : -",
    ),
    rules_pb2.FORMAT_CURRENCY_CODE: (
        ISO_4217.__contains__,
        "must be a currency code of ISO 4217, such as USD",
    ),
    rules_pb2.FORMAT_ACCOUNT_SID: (
        re.compile(r"AC[0-9a-fA-F]{32}").fullmatch,
        "must be AC and 32 hex digits",
    ),
    rules_pb2.FORMAT_URL: (
        lambda value: len(value) <= STRING_BYTES_MAX and URL.fullmatch(value),
        f"must be http:// or https://, a host, no user, and at most {STRING_BYTES_MAX} characters",
    ),
}

# How a field's value is read; what is unset, where that can be told, is read as None.
Read = Callable[[Any], Any]
# A check looks at one field's value and answers what is wrong with it, or None.
Check = Callable[[Any], str | None]


def check_request(request: Message) -> None:
    """Raise InvalidArgumentError with every violation, not only the first.

    Messages within the request are not looked into: whoever takes a list of them checks each item.
    """
    violations = [
        FieldViolation(name, problem)
        for name, read, check in _checks_of(request.DESCRIPTOR)
        if (problem := check(read(request))) is not None
    ]
    if violations:
        raise InvalidArgumentError(violations)


def write_caller(request: Message, subject: str) -> None:
    """Write who calls into the fields for it. Raises InvalidArgumentError if they say another."""
    for name in _caller_fields(request.DESCRIPTOR):
        if getattr(request, name) not in ("", subject):
            raise invalid_field(name, f"must be empty or who is proven to call, {subject}")
        setattr(request, name, subject)


@cache
def _caller_fields(message_type: Descriptor) -> tuple[str, ...]:
    return tuple(
        each.name
        for each in message_type.fields
        if each.GetOptions().Extensions[rules_pb2.rules].caller
    )


def refusals_of(requests: Sequence[Message]) -> dict[int, InvalidArgumentError]:
    """Return the error of each request, of many of one kind, that breaks a rule, by its position.

    A column at a time, since what all have in common is then looked at once.
    """
    if not requests:
        return {}
    columns = (
        (check, map(read, requests)) for _, read, check in _checks_of(requests[0].DESCRIPTOR)
    )
    if all(_is_fine(check, values) for check, values in columns):
        return {}
    refusals = ((position, _refusal_of(request)) for position, request in enumerate(requests))
    return {position: refusal for position, refusal in refusals if refusal is not None}


def _is_fine(check: Check, values: Iterable[Any]) -> bool:
    listed = list(values)
    hashable = isinstance(listed[0], Hashable)
    return all(check(value) is None for value in (set(listed) if hashable else listed))


def _refusal_of(request: Message) -> InvalidArgumentError | None:
    try:
        check_request(request)
    except InvalidArgumentError as error:
        return error
    return None


@cache
def _checks_of(descriptor: Descriptor) -> tuple[tuple[str, Read, Check], ...]:
    return tuple(
        (field.name, _reader(field), check)
        for field in descriptor.fields
        if (check := _compile(field)) is not None
    )


def _reader(field: FieldDescriptor) -> Read:
    read = attrgetter(field.name)
    if not field.has_presence:
        return read
    return lambda request: read(request) if request.HasField(field.name) else None


def _compile(field: FieldDescriptor) -> Check | None:
    rules = field.GetOptions().Extensions[rules_pb2.rules]
    check = _check_of(field, rules)
    if check is not None and field.has_presence:
        check = _unless_unset(check)
    return _required(check) if rules.required else check


def _required(check: Check | None) -> Check:
    if check is None:
        return lambda value: None if value else "is required"
    return lambda value: check(value) if value else "is required"


def _unless_unset(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _check_of(field: FieldDescriptor, rules: rules_pb2.FieldRules) -> Check | None:
    if field.type == FieldDescriptor.TYPE_STRING:
        return _string_check(rules)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _check_bytes
    if field.type == FieldDescriptor.TYPE_ENUM:
        return _enum_check(field)
    if field.message_type is not None:
        return _message_check(field.message_type, rules)
    return _range_check(rules)


def _message_check(message_type: Descriptor, rules: rules_pb2.FieldRules) -> Check | None:
    if message_type.GetOptions().map_entry:
        return _check_map
    if message_type.full_name == Timestamp.DESCRIPTOR.full_name:
        return _check_timestamp
    if message_type.full_name == Duration.DESCRIPTOR.full_name:
        return _duration_check(rules)
    return _items_check(rules.maximum_items) if rules.HasField("maximum_items") else None


def _string_check(rules: rules_pb2.FieldRules) -> Check:
    if rules.format == rules_pb2.FORMAT_UNSPECIFIED:
        return _check_text
    matches, problem = FORMATS[rules.format]
    return lambda value: None if not value or matches(value) else problem


def _check_text(value: str) -> str | None:
    if not value:
        return None
    if len(value.encode()) > STRING_BYTES_MAX:
        return f"must be at most {STRING_BYTES_MAX} bytes"
    return "must not contain NUL" if "\0" in value else None


def _check_bytes(value: bytes) -> str | None:
    return f"must be at most {BYTES_MAX} bytes" if len(value) > BYTES_MAX else None


def _enum_check(field: FieldDescriptor) -> Check:
    known = frozenset(field.enum_type.values_by_number) if field.enum_type else frozenset()
    if field.is_repeated:
        named = known - {0}
        return lambda values: None if named.issuperset(values) else "has an unknown value"
    return lambda value: None if value in known else "is an unknown value"


def _range_check(rules: rules_pb2.FieldRules) -> Check | None:
    minimum = rules.minimum if rules.HasField("minimum") else -math.inf
    maximum = rules.maximum if rules.HasField("maximum") else math.inf
    if minimum == -math.inf and maximum == math.inf:
        return None

    def check(value: int) -> str | None:
        if minimum <= value <= maximum:
            return None
        return f"must be at least {minimum}" if value < minimum else f"must be at most {maximum}"

    return check


def _items_check(maximum: int) -> Check:
    problem = f"must have at most {maximum} items"
    return lambda items: problem if len(items) > maximum else None


def _check_map(value: dict[str, str]) -> str | None:
    if not value:
        return None
    if len(value) > MAP_ENTRIES_MAX:
        return f"must have at most {MAP_ENTRIES_MAX} entries"
    if any(not 0 < len(key) <= MAP_KEY_LENGTH_MAX for key in value):
        return f"must have keys of 1 to {MAP_KEY_LENGTH_MAX} characters"
    if sum(len(key.encode()) + len(text.encode()) for key, text in value.items()) > MAP_BYTES_MAX:
        return f"must be at most {MAP_BYTES_MAX} bytes in all"
    if any("\0" in key or "\0" in text for key, text in value.items()):
        return "must not contain NUL"
    return None


def _check_timestamp(value: Timestamp) -> str | None:
    in_range = TIMESTAMP_SECONDS_MIN <= value.seconds <= TIMESTAMP_SECONDS_MAX
    if in_range and 0 <= value.nanos < NANOS_PER_SECOND:
        return None
    return "must lie in the years 1900 to 9998"


def _duration_check(rules: rules_pb2.FieldRules) -> Check:
    minimum = rules.minimum_seconds if rules.HasField("minimum_seconds") else DURATION_SECONDS_MIN
    maximum = rules.maximum_seconds if rules.HasField("maximum_seconds") else DURATION_SECONDS_MAX

    def check(value: Duration) -> str | None:
        if abs(value.nanos) >= NANOS_PER_SECOND or value.seconds * value.nanos < 0:
            return "must have nanos below a second, of the same sign as its seconds"
        exact = value.seconds * NANOS_PER_SECOND + value.nanos
        if exact < minimum * NANOS_PER_SECOND:
            return f"must be at least {minimum} seconds"
        if exact > maximum * NANOS_PER_SECOND:
            return f"must be at most {maximum} seconds"
        return None

    return check
