"""What the protos of the wallet say of each rpc: its errors, and examples that can be sent."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from tollgate.wallet.v1 import wallet_observer_service_pb2, wallet_service_pb2

WALLET_PROTOS = Path(__file__).parents[2] / "protos" / "tollgate" / "wallet" / "v1"
SERVICES = (
    wallet_service_pb2.DESCRIPTOR.services_by_name["WalletService"],
    wallet_observer_service_pb2.DESCRIPTOR.services_by_name["WalletObserverService"],
)
RPC = re.compile(r"(?P<comment>(?: *//.*\n)*) *rpc (?P<name>\w+)\(")
ERRORS = re.compile(r"Errors: (.*?)(?= Example: |$)")
EXAMPLE = re.compile(r"Example: (.*?)(?= Example: |$)")


class RpcComment(NamedTuple):
    """One rpc, and what stands above it."""

    method: MethodDescriptor
    text: str

    @property
    def name(self) -> str:
        """The rpc's name."""
        return self.method.name

    @property
    def errors(self) -> str:
        """What it may answer beside what every rpc may."""
        return " ".join(ERRORS.findall(self.text))

    @property
    def examples(self) -> list[str]:
        """Requests, as they are written."""
        return EXAMPLE.findall(self.text)

    def request(self, example: str) -> Message:
        """Return an example as a message."""
        return json_format.Parse(example, GetMessageClass(self.method.input_type)())


def read_rpc_comments() -> Iterator[RpcComment]:
    """Return all rpcs of the wallet's protos, as they stand there from top to bottom."""
    for service in SERVICES:
        path = WALLET_PROTOS / Path(service.file.name).name
        found = {m["name"]: m["comment"] for m in RPC.finditer(path.read_text())}
        for name, comment in found.items():
            text = " ".join(
                line.strip().removeprefix("//").strip() for line in comment.splitlines()
            )
            yield RpcComment(service.methods_by_name[name], text)
