"""Every rpc times every role, as the contract says it; read from descriptors: none is missed."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc

from dev.stack.certificates import subject_of
from libs.rpc.callers import ROLES
from tests.support.doors import Door, methods_at, path_of, roles_for
from tests.support.errors import Refusal, read_refusal
from tests.support.stack import CONSOLE, SERVICES, Stack

OF_OPERATORS = {"operator", "operator_reader"}
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
LIST_SERVICES = b"\x3a\x01*"


async def answer_to(channel: grpc.aio.Channel, method: MethodDescriptor) -> Refusal:
    """Return how an empty request is answered."""
    make = channel.unary_stream if method.server_streaming else channel.unary_unary
    rpc: Any = make(path_of(method))
    call = rpc(b"")
    try:
        await (anext(aiter(call)) if method.server_streaming else call)
    except grpc.aio.AioRpcError as error:
        return read_refusal(error)
    call.cancel()
    return Refusal(grpc.StatusCode.OK)


def is_as_told(method: MethodDescriptor, role: str, answer: Refusal) -> bool:
    """Tell whether somebody was let in, or kept out, as the method's option says."""
    roles = roles_for(method)
    if role not in roles:
        told = {"caller": f"{role}/{subject_of(role)}", "allowed": ",".join(sorted(roles))}
        return answer.code is grpc.StatusCode.PERMISSION_DENIED and answer.metadata == told
    return answer.code not in {
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.INTERNAL,
    }


async def reflect(channel: grpc.aio.Channel, *requests: bytes) -> Refusal:
    """Return how reflection is answered; who is refused need not have asked for anything."""
    rpc: Any = channel.stream_stream(REFLECTION)
    call = rpc()
    try:
        for request in requests:
            await call.write(request)
        await call.read()
    except grpc.aio.AioRpcError as error:
        return read_refusal(error)
    call.cancel()
    return Refusal(grpc.StatusCode.OK)


async def test_every_rpc_lets_in_whom_its_option_names(
    proven_stack: Stack, certificates: Path
) -> None:
    await proven_stack.start(*SERVICES, CONSOLE)
    wrong, asked = [], 0
    for service in (*SERVICES, CONSOLE):
        door = Door(proven_stack.addresses[service], certificates)
        methods = await asyncio.to_thread(methods_at, door)
        for role in ROLES:
            async with door.open(role) as channel:
                for method in methods:
                    answer = await answer_to(channel, method)
                    asked += 1
                    if not is_as_told(method, role, answer):
                        wrong.append((role, path_of(method), answer))
    assert not wrong
    assert asked > len(ROLES) * len(SERVICES)


async def test_health_is_everybodys_and_reflection_the_operators(wallet: Door) -> None:
    for role in ROLES:
        async with wallet.open(role) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            answer = await health.Check(health_pb2.HealthCheckRequest())
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
            if role in OF_OPERATORS:
                assert (await reflect(channel, LIST_SERVICES)).code is grpc.StatusCode.OK
            else:
                # A request that is still on its way would be what the client tells of.
                assert (await reflect(channel)).code is grpc.StatusCode.PERMISSION_DENIED
