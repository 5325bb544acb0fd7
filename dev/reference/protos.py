"""What the protos say, with the comments that protoc keeps of them."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

from dev.generate_protos import all_protos, run_protoc

# Where descriptor.proto keeps each kind of element: the steps of a path to its comment.
SYNTAX = FileDescriptorProto.SYNTAX_FIELD_NUMBER
MESSAGE = FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER
ENUM = FileDescriptorProto.ENUM_TYPE_FIELD_NUMBER
SERVICE = FileDescriptorProto.SERVICE_FIELD_NUMBER
FIELD = DescriptorProto.FIELD_FIELD_NUMBER
METHOD = ServiceDescriptorProto.METHOD_FIELD_NUMBER
VALUE = EnumDescriptorProto.VALUE_FIELD_NUMBER

Comments = dict[tuple[int, ...], str]


@dataclass(frozen=True)
class Field:
    """One field of a message."""

    proto: FieldDescriptorProto
    comment: str
    oneof: str
    # Of a map, what its entries are.
    entry: DescriptorProto | None


@dataclass(frozen=True)
class Message:
    """One message, by its full name."""

    name: str
    comment: str
    fields: Sequence[Field]


@dataclass(frozen=True)
class Value:
    """One value of an enum."""

    name: str
    number: int
    comment: str


@dataclass(frozen=True)
class Enum:
    """One enum, by its full name."""

    name: str
    comment: str
    values: Sequence[Value]


@dataclass(frozen=True)
class Method:
    """One rpc."""

    proto: MethodDescriptorProto
    comment: str


@dataclass(frozen=True)
class Service:
    """One service, by its full name."""

    name: str
    comment: str
    methods: Sequence[Method]


@dataclass(frozen=True)
class Proto:
    """One file."""

    package: str
    comment: str
    services: Sequence[Service]
    messages: Sequence[Message]
    enums: Sequence[Enum]


def read_protos() -> list[Proto]:
    """Return all of Tollgate's own, by name."""
    with tempfile.TemporaryDirectory() as scratch:
        written = Path(scratch, "protos")
        run_protoc(all_protos(), f"--descriptor_set_out={written}", "--include_source_info")
        return [_proto(file) for file in FileDescriptorSet.FromString(written.read_bytes()).file]


def _proto(file: FileDescriptorProto) -> Proto:
    comments = {
        tuple(location.path): location.leading_comments
        for location in file.source_code_info.location
    }
    return Proto(
        package=file.package,
        comment=comments.get((SYNTAX,), ""),
        services=list(_services(file, comments)),
        messages=list(_messages(file, comments)),
        enums=list(_enums(file, comments)),
    )


def _services(file: FileDescriptorProto, comments: Comments) -> Iterator[Service]:
    for at, service in enumerate(file.service):
        methods = [
            Method(method, comments[SERVICE, at, METHOD, number])
            for number, method in enumerate(service.method)
        ]
        yield Service(f"{file.package}.{service.name}", comments[SERVICE, at], methods)


def _messages(file: FileDescriptorProto, comments: Comments) -> Iterator[Message]:
    for at, message in enumerate(file.message_type):
        entries = {f".{file.package}.{message.name}.{it.name}": it for it in message.nested_type}
        fields = [
            Field(
                field,
                comments[MESSAGE, at, FIELD, number],
                _oneof(message, field),
                entries.get(field.type_name),
            )
            for number, field in enumerate(message.field)
        ]
        yield Message(f"{file.package}.{message.name}", comments[MESSAGE, at], fields)


def _oneof(message: DescriptorProto, field: FieldDescriptorProto) -> str:
    """A field that is `optional` has one of its own, which nobody has written."""
    if not field.HasField("oneof_index") or field.proto3_optional:
        return ""
    return message.oneof_decl[field.oneof_index].name


def _enums(file: FileDescriptorProto, comments: Comments) -> Iterator[Enum]:
    for at, enum in enumerate(file.enum_type):
        values = [
            Value(value.name, value.number, comments[ENUM, at, VALUE, number])
            for number, value in enumerate(enum.value)
        ]
        yield Enum(f"{file.package}.{enum.name}", comments[ENUM, at], values)
