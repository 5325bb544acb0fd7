"""What the protos say of each rpc: its errors, and examples that can be sent."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from tollgate.billing_gateway.v1 import (
    billing_gateway_service_pb2,
    subscription_observer_service_pb2,
)
from tollgate.campaign.v1 import campaign_service_pb2
from tollgate.operations.v1 import operations_service_pb2
from tollgate.telephony.v1 import telephony_service_pb2
from tollgate.wallet.v1 import wallet_observer_service_pb2, wallet_service_pb2

PROTOS = Path(__file__).parents[2] / "protos"
WALLET = (
    wallet_service_pb2.DESCRIPTOR.services_by_name["WalletService"],
    wallet_observer_service_pb2.DESCRIPTOR.services_by_name["WalletObserverService"],
)
BILLING_GATEWAY = (
    billing_gateway_service_pb2.DESCRIPTOR.services_by_name["BillingGatewayService"],
    subscription_observer_service_pb2.DESCRIPTOR.services_by_name["SubscriptionObserverService"],
)
CAMPAIGN = (campaign_service_pb2.DESCRIPTOR.services_by_name["CampaignService"],)
TELEPHONY = (telephony_service_pb2.DESCRIPTOR.services_by_name["TelephonyService"],)
OPERATIONS = (operations_service_pb2.DESCRIPTOR.services_by_name["OperationsService"],)
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


def read_rpc_comments(services: Sequence[ServiceDescriptor]) -> Iterator[RpcComment]:
    """Return all rpcs of services, as they stand in their protos from top to bottom."""
    for service in services:
        found = {m["name"]: m["comment"] for m in RPC.finditer(_text_of(service))}
        for name, comment in found.items():
            text = " ".join(
                line.strip().removeprefix("//").strip() for line in comment.splitlines()
            )
            yield RpcComment(service.methods_by_name[name], text)


def _text_of(service: ServiceDescriptor) -> str:
    return (PROTOS / service.file.name).read_text()
