"""The doors of running services, and the certificates with which somebody passes."""

from dataclasses import dataclass
from pathlib import Path

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import Default
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from dev.stack.certificates import directory_of
from libs.rpc.callers import role_name
from libs.rpc.channel import open_channel
from libs.rpc.credentials import Certificates, read_certificates
from tollgate.options.v1 import access_pb2


@dataclass(frozen=True)
class Door:
    """One running service, and the certificates of everybody who may call it."""

    address: str
    certificates_directory: Path

    def certificates(self, role: str) -> Certificates:
        """Return those of the one who has a role."""
        return read_certificates(directory_of(role, self.certificates_directory))

    def open(self, role: str) -> grpc.aio.Channel:
        """Return a channel as the one who has a role."""
        return open_channel(self.address, self.certificates(role))


def methods_at(door: Door) -> list[MethodDescriptor]:
    """Return every rpc of Tollgate's that is served there, of whatever service."""
    reader = door.certificates("operator_reader").for_client()
    with grpc.secure_channel(door.address, reader) as channel:
        names = ProtoReflectionDescriptorDatabase(channel).get_services()
    services = [Default().FindServiceByName(name) for name in names if name.startswith("tollgate.")]
    return [method for service in services for method in service.methods]


def path_of(method: MethodDescriptor) -> str:
    """Return a method's name on the wire."""
    return f"/{method.containing_service.full_name}/{method.name}"


def roles_for(method: MethodDescriptor) -> set[str]:
    """Return the roles that may call a method."""
    return {role_name(role) for role in method.GetOptions().Extensions[access_pb2.callers]}


def role_for(method: MethodDescriptor) -> str:
    """Return a role that may call a method."""
    return min(roles_for(method))
