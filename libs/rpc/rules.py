"""Checks requests against the rules that stand beside their fields in the protos."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from libs.currencies import ISO_4217
from libs.errors import FieldViolation, InvalidArgumentError
from libs.ids import ID
from tollgate.options.v1 import rules_pb2

# In bytes of UTF-8, so that a page of 500 stays below the 4 MiB that gRPC's clients take.
STRING_BYTES_MAX = 1000
MAP_BYTES_MAX = 2000
MAP_ENTRIES_MAX = 20
MAP_KEY_LENGTH_MAX = 64
# The years 1900 to 9998: at both ends of its own range PostgreSQL's driver reads infinities.
TIMESTAMP_SECONDS_MIN = -2_208_988_800
TIMESTAMP_SECONDS_MAX = 253_370_764_799
NANOS_PER_SECOND = 1_000_000_000

PATTERNS = {
    rules_pb2.FORMAT_ID: (
        ID,
        "must be 1 to 128 characters of A-Z a-z 0-9 . _ : -",
    ),
    rules_pb2.FORMAT_CURRENCY_CODE: (
        re.compile("|".join(sorted(ISO_4217))),
        "must be a currency code of ISO 4217, such as USD",
    ),
    rules_pb2.FORMAT_ACCOUNT_SID: (
        re.compile(r"AC[0-9a-fA-F]{32}"),
        "must be AC and 32 hex digits",
    ),
}

# A check looks at one field's value and answers what is wrong with it, or None.
Check = Callable[[Any], str | None]


def check_request(request: Message) -> None:
    """Raise InvalidArgumentError with every violation, not only the first."""
    violations = [
        FieldViolation(name, problem)
        for name, check in _checks_of(request.DESCRIPTOR)
        if (problem := check(getattr(request, name))) is not None
    ]
    if violations:
        raise InvalidArgumentError(violations)


@cache
def _checks_of(descriptor: Descriptor) -> tuple[tuple[str, Check], ...]:
    return tuple((field.name, check) for field in descriptor.fields for check in _compile(field))


def _compile(field: FieldDescriptor) -> Iterator[Check]:
    rules = field.GetOptions().Extensions[rules_pb2.rules]
    if rules.required:
        yield _check_required
    if field.type == FieldDescriptor.TYPE_STRING:
        yield _string_check(rules)
    if field.type == FieldDescriptor.TYPE_ENUM:
        yield _enum_check(field)
    if rules.HasField("minimum") or rules.HasField("maximum"):
        yield _range_check(rules)
    if field.message_type is not None:
        yield from _compile_message(field.message_type)


def _compile_message(message_type: Descriptor) -> Iterator[Check]:
    if message_type.GetOptions().map_entry:
        yield _check_map
    elif message_type.full_name == Timestamp.DESCRIPTOR.full_name:
        yield _check_timestamp


def _check_required(value: Any) -> str | None:
    return None if value else "is required"


def _string_check(rules: rules_pb2.FieldRules) -> Check:
    if rules.format == rules_pb2.FORMAT_UNSPECIFIED:
        return _check_text
    pattern, problem = PATTERNS[rules.format]
    return lambda value: problem if value and not pattern.fullmatch(value) else None


def _check_text(value: str) -> str | None:
    if len(value.encode()) > STRING_BYTES_MAX:
        return f"must be at most {STRING_BYTES_MAX} bytes"
    return "must not contain NUL" if "\0" in value else None


def _enum_check(field: FieldDescriptor) -> Check:
    known = frozenset(field.enum_type.values_by_number) if field.enum_type else frozenset()
    if field.is_repeated:
        named = known - {0}
        return lambda values: None if named.issuperset(values) else "has an unknown value"
    return lambda value: None if value in known else "is an unknown value"


def _range_check(rules: rules_pb2.FieldRules) -> Check:
    minimum = rules.minimum if rules.HasField("minimum") else None
    maximum = rules.maximum if rules.HasField("maximum") else None

    def check(value: int) -> str | None:
        if minimum is not None and value < minimum:
            return f"must be at least {minimum}"
        if maximum is not None and value > maximum:
            return f"must be at most {maximum}"
        return None

    return check


def _check_map(value: dict[str, str]) -> str | None:
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
