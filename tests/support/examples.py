"""Sends the examples of the protos, as an operator does and as a client does."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeAlias

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from tests.support.grpcurl import grpcurl, needs_grpcurl
from tests.support.rpc_comments import RpcComment, read_rpc_comments
from tollgate.billing_gateway.v1.billing_gateway_service_pb2_grpc import BillingGatewayServiceStub
from tollgate.billing_gateway.v1.subscription_observer_service_pb2_grpc import (
    SubscriptionObserverServiceStub,
)
from tollgate.campaign.v1.campaign_service_pb2_grpc import CampaignServiceStub
from tollgate.telephony.v1.telephony_service_pb2_grpc import TelephonyServiceStub
from tollgate.wallet.v1.wallet_observer_service_pb2_grpc import WalletObserverServiceStub
from tollgate.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

# Sends an example to an address; answers all messages that come back.
Send: TypeAlias = Callable[[str, RpcComment, str], Awaitable[list[Message]]]

# Who implements what; observers are alike, so that one is enough.
HOSTS = {
    "WalletService": "wallet",
    "WalletObserverService": "campaign",
    "BillingGatewayService": "billing_gateway",
    "SubscriptionObserverService": "campaign",
    "CampaignService": "campaign",
    "TelephonyService": "telephony",
}
# What has no end of its own is heard for so long.
ENDLESS = {"WatchCampaigns"}
ENDLESS_SECONDS = 2.0
DEADLINE_EXCEEDED = 64 + 4
STUBS: Mapping[str, Any] = {
    "WalletService": WalletServiceStub,
    "WalletObserverService": WalletObserverServiceStub,
    "BillingGatewayService": BillingGatewayServiceStub,
    "SubscriptionObserverService": SubscriptionObserverServiceStub,
    "CampaignService": CampaignServiceStub,
    "TelephonyService": TelephonyServiceStub,
}


async def by_grpcurl(address: str, rpc: RpcComment, example: str) -> list[Message]:
    """Send it with grpcurl."""
    service = rpc.method.containing_service.full_name
    is_endless = rpc.name in ENDLESS
    limit = ("-max-time", f"{ENDLESS_SECONDS}") if is_endless else ()
    printed = await grpcurl(*limit, "-d", example, address, f"{service}/{rpc.name}")
    assert printed.code == (DEADLINE_EXCEEDED if is_endless else 0), printed.errors
    answer = GetMessageClass(rpc.method.output_type)
    return [json_format.ParseDict(message, answer()) for message in printed.messages]


async def by_stub(address: str, rpc: RpcComment, example: str) -> list[Message]:
    """Send it through the generated code."""
    request = rpc.request(example)
    async with grpc.aio.insecure_channel(address) as channel:
        call = getattr(STUBS[rpc.method.containing_service.name](channel), rpc.name)(request)
        if not rpc.method.server_streaming:
            return [await call]
        return [await anext(aiter(call))] if rpc.name in ENDLESS else [m async for m in call]


def told(expected: Any, answer: Any) -> Any:
    """Return what an answer says of all that is expected of it."""
    if isinstance(expected, dict) and isinstance(answer, dict):
        return {name: told(value, answer.get(name)) for name, value in expected.items()}
    if isinstance(expected, list) and isinstance(answer, list) and len(expected) == len(answer):
        return [told(*pair) for pair in zip(expected, answer, strict=True)]
    return answer


async def require_answer(
    send: Send, addresses: Mapping[str, str], rpc: RpcComment, example: str, expected: Any
) -> None:
    """Send an example; the last message that comes back must say all that is expected of it."""
    address = addresses[HOSTS[rpc.method.containing_service.name]]
    *_, answer = await send(address, rpc, example)
    seen = told(expected, json_format.MessageToDict(answer))
    assert seen == expected, f"{rpc.name}: {seen}"


async def require_story(
    send: Send,
    addresses: Mapping[str, str],
    services: Sequence[ServiceDescriptor],
    answers: Sequence[tuple[str, Any]],
) -> None:
    """Send every example of services in their order; each answer is given, and no rpc has none."""
    story = [(rpc, example) for rpc in read_rpc_comments(services) for example in rpc.examples]
    assert [rpc.name for rpc, _ in story] == [name for name, _ in answers]
    for (rpc, example), (_, expected) in zip(story, answers, strict=True):
        await require_answer(send, addresses, rpc, example, expected)
    assert {name for name, _ in answers} == {m.name for each in services for m in each.methods}


every_way = pytest.mark.parametrize(
    "send", [pytest.param(by_grpcurl, marks=needs_grpcurl), by_stub]
)
