"""The rules beside a request's field, in words."""

from collections.abc import Iterator

from google.protobuf.descriptor_pb2 import FieldDescriptorProto

from tollgate.options.v1 import rules_pb2
from tollgate.options.v1.rules_pb2 import Format

FORMATS = {
    Format.FORMAT_UNSPECIFIED: "",
    Format.FORMAT_ID: "an id",
    Format.FORMAT_CURRENCY_CODE: "ISO 4217",
    Format.FORMAT_ACCOUNT_SID: "a Twilio account's SID",
    Format.FORMAT_URL: "a URL",
}


def in_words(field: FieldDescriptorProto, oneof: str) -> str:
    """Return what holds of a field, with commas between."""
    rules = field.options.Extensions[rules_pb2.rules]
    return ", ".join(filter(None, _words(field, oneof, rules)))


def _words(field: FieldDescriptorProto, oneof: str, rules: rules_pb2.FieldRules) -> Iterator[str]:
    if rules.required:
        yield "required"
    if field.proto3_optional:
        yield "optional"
    if oneof:
        yield f"one of `{oneof}`"
    yield FORMATS[rules.format]
    limits = {limit.name: value for limit, value in rules.ListFields()}
    yield _range(limits.get("minimum"), limits.get("maximum"), "")
    yield _range(limits.get("minimum_seconds"), limits.get("maximum_seconds"), " s")
    yield _range(None, limits.get("maximum_items"), " items")
    if rules.caller:
        yield "who calls"


def _range(least: int | None, most: int | None, unit: str) -> str:
    if least is None:
        return "" if most is None else f"at most {most}{unit}"
    return f"at least {least}{unit}" if most is None else f"{least} to {most}{unit}"
