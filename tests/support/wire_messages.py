"""Messages as no decent client sends them: random bytes, and what descriptors allow and do not."""

from typing import Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import strategies as st

IDS: Final = ("org-1", "org-2", "a", "", "x" * 128, "x" * 129, "a b", "é", "\0", "../org-1")
INTEGERS: Final = (0, 1, 500, 501, 2**31 - 1, 2**31, 2**63 - 1, 2**63, 2**64 - 1)
FIXED_BYTES: Final = {
    FieldDescriptor.TYPE_DOUBLE: 8,
    FieldDescriptor.TYPE_FIXED64: 8,
    FieldDescriptor.TYPE_SFIXED64: 8,
    FieldDescriptor.TYPE_FLOAT: 4,
    FieldDescriptor.TYPE_FIXED32: 4,
    FieldDescriptor.TYPE_SFIXED32: 4,
}
TEXTS: Final = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
DEPTH_MAX: Final = 3
VARINT, FIXED_64, LENGTH, FIXED_32 = 0, 1, 2, 5


def varint(number: int) -> bytes:
    """Return a number as the wire knows it."""
    encoded = b""
    while number > 127:
        encoded += bytes((number % 128 + 128,))
        number //= 128
    return encoded + bytes((number,))


def any_bodies(descriptor: Descriptor) -> st.SearchStrategy[bytes]:
    """Return what may be sent in a message's place."""
    shaped = shaped_bodies(descriptor, DEPTH_MAX)
    return shaped | spoilt(shaped) | st.binary(max_size=64)


def shaped_bodies(descriptor: Descriptor, depth: int) -> st.SearchStrategy[bytes]:
    """Return encoded messages with fields of the right kinds, some of them missing or twice."""
    fields = [field_bytes(field, depth) for field in descriptor.fields]
    if not fields:
        return st.just(b"")
    return st.tuples(
        *(st.lists(field, max_size=1) for field in fields), st.lists(st.one_of(fields), max_size=2)
    ).map(lambda parts: b"".join(b"".join(part) for part in parts))


def field_bytes(field: FieldDescriptor, depth: int) -> st.SearchStrategy[bytes]:
    """Return encodings of one field."""
    size = FIXED_BYTES.get(field.type)
    if size is not None:
        tag = varint(field.number << 3 | (FIXED_64 if size == 8 else FIXED_32))
        return st.binary(min_size=size, max_size=size).map(lambda value: tag + value)
    if field.message_type is None and field.type not in TEXTS:
        tag = varint(field.number << 3 | VARINT)
        numbers = st.sampled_from(INTEGERS) | st.integers(0, 9)
        return numbers.map(lambda value: tag + varint(value))
    tag = varint(field.number << 3 | LENGTH)
    return contents(field, depth).map(lambda value: tag + varint(len(value)) + value)


def contents(field: FieldDescriptor, depth: int) -> st.SearchStrategy[bytes]:
    """Return what may stand in a field that says how long it is."""
    if field.message_type is not None:
        return shaped_bodies(field.message_type, depth - 1) if depth else st.just(b"")
    ids = st.sampled_from(IDS).map(str.encode)
    return ids | st.text(max_size=20).map(str.encode) | st.binary(max_size=20)


@st.composite
def spoilt(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> bytes:
    """Cut a body off, put something into it, or send it twice."""
    body = draw(bodies)
    at = draw(st.integers(0, len(body)))
    return draw(
        st.sampled_from(
            (body[:at], body[at:], body * 2, body[:at] + b"\xff" + body[at:], body[at:] + body[:at])
        )
    )
