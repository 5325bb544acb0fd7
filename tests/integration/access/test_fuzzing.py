"""Whatever is sent in place of a call is answered, and tells nothing of what is inside."""

import asyncio
import gzip
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

import grpc
import hypothesis
import pytest
from google.protobuf.descriptor import MethodDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from hypothesis import strategies as st

from libs.rpc.reflection import REFLECTION_METHODS
from tests.support.doors import Door, methods_at, path_of, role_for
from tests.support.errors import Refusal, read_refusal
from tests.support.http2 import (
    Answer,
    Header,
    data_frames,
    greeted,
    headers_of,
    message,
    request_frames,
)
from tests.support.pulse import serving_as_before
from tests.support.searching import FEW_EXAMPLES
from tests.support.wire_messages import any_bodies
from tollgate.wallet.v1.wallet_service_pb2 import GetWalletRequest

GET_WALLET: Final = "/tollgate.wallet.v1.WalletService/GetWallet"
BODY: Final = message(GetWalletRequest(organization_id="org-1").SerializeToString())
OK, INVALID_ARGUMENT, NOT_FOUND, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL = (
    str(code.value[0])
    for code in (
        grpc.StatusCode.OK,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
    )
)
# Nothing that is sent may find a defect, end the service, or not be there.
DEFECTS: Final = {
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.CANCELLED,
}
WATCH_SECONDS: Final = 0.1
ANSWER_SECONDS: Final = 20.0


class Target:
    """One method, and a connection of somebody who may call it."""

    def __init__(self, channel: grpc.aio.Channel, path: str, request: Any, kind: str) -> None:
        self.path = path
        self.request = request
        self._rpc: Any = getattr(channel, kind)(path)
        self._kind = kind

    async def send(self, body: bytes) -> Refusal:
        """Return how a body is answered; of a stream, its beginning."""
        try:
            if self._kind == "unary_unary":
                await self._rpc(body, timeout=ANSWER_SECONDS)
            else:
                sent = iter([body]) if self._kind == "stream_stream" else body
                seconds = WATCH_SECONDS if "Watch" in self.path else ANSWER_SECONDS
                async for _ in self._rpc(sent, timeout=seconds):
                    break
        except grpc.aio.AioRpcError as error:
            return read_refusal(error)
        return Refusal(grpc.StatusCode.OK)


def is_refused_well(target: Target, answer: Refusal) -> bool:
    """Tell whether it is an answer that the contract knows."""
    if answer.code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return "Watch" in target.path
    if answer.code is grpc.StatusCode.UNAVAILABLE:
        return answer.reason == "PROVIDER_UNAVAILABLE"
    return answer.code not in DEFECTS


async def targets_at(door: Door, closing: AsyncExitStack) -> list[Target]:
    """Return every method of a service, health and reflection among them."""
    opened: dict[str, grpc.aio.Channel] = {}

    async def channel(role: str) -> grpc.aio.Channel:
        if role not in opened:
            opened[role] = await closing.enter_async_context(door.open(role))
        return opened[role]

    methods: list[MethodDescriptor] = await asyncio.to_thread(methods_at, door)
    targets = [
        Target(
            await channel(role_for(method)),
            path_of(method),
            method.input_type,
            "unary_stream" if method.server_streaming else "unary_unary",
        )
        for method in methods
    ]
    operator = await channel("operator")
    health, asked = "/grpc.health.v1.Health", health_pb2.HealthCheckRequest.DESCRIPTOR
    targets.append(Target(operator, f"{health}/Check", asked, "unary_unary"))
    targets.append(Target(operator, f"{health}/Watch", asked, "unary_stream"))
    reflection = reflection_pb2.ServerReflectionRequest.DESCRIPTOR
    targets += [Target(operator, path, reflection, "stream_stream") for path in REFLECTION_METHODS]
    return targets


async def test_any_message_to_any_method_is_answered_as_the_contract_says(
    doors: Mapping[str, Door],
) -> None:
    async with AsyncExitStack() as closing, serving_as_before(doors):
        targets = [each for door in doors.values() for each in await targets_at(door, closing)]
        bodies = st.fixed_dictionaries({each.path: any_bodies(each.request) for each in targets})
        for sent in examples(bodies):
            answers = await asyncio.gather(*(each.send(sent[each.path]) for each in targets))
            wrong = [
                (target.path, sent[target.path], answer)
                for target, answer in zip(targets, answers, strict=True)
                if not is_refused_well(target, answer)
            ]
            assert not wrong


def examples(strategy: st.SearchStrategy[dict[str, bytes]]) -> Iterator[dict[str, bytes]]:
    """Return examples of what is known only when services run."""
    found: list[dict[str, bytes]] = []

    @hypothesis.settings(max_examples=FEW_EXAMPLES, database=None)
    @hypothesis.given(strategy)
    def collect(example: dict[str, bytes]) -> None:
        found.append(example)

    collect()
    yield from found


def meta(*headers: Header) -> list[Header]:
    """Return the headers of a good call, and some more."""
    return [*headers_of(GET_WALLET), *headers]


# What is sent, and what is answered: a status, or nothing but that the stream is reset.
NO_CALLS: Final[dict[str, tuple[list[Header], bytes, str]]] = {
    "a good call": (headers_of(GET_WALLET), BODY, NOT_FOUND),
    "JSON": (headers_of(GET_WALLET, content_type=b"application/json"), b"{}", INVALID_ARGUMENT),
    "gRPC-Web": (headers_of(GET_WALLET, content_type=b"application/grpc-web"), BODY, NOT_FOUND),
    "GET": (headers_of(GET_WALLET, _method=b"GET"), b"", ""),
    "PUT": (headers_of(GET_WALLET, _method=b"PUT"), BODY, ""),
    "a method of no kind": (headers_of(GET_WALLET, _method=b"FOO"), BODY, INTERNAL),
    "a scheme of no kind": (headers_of(GET_WALLET, _scheme=b"ftp"), BODY, INTERNAL),
    "no scheme": (headers_of(GET_WALLET, _scheme=None), BODY, ""),
    "no authority": (headers_of(GET_WALLET, _authority=None), BODY, ""),
    "no path": (headers_of(GET_WALLET, _path=None), BODY, ""),
    "an empty path": (headers_of(""), BODY, UNIMPLEMENTED),
    "another path": (headers_of("/index.html"), BODY, UNIMPLEMENTED),
    "another method": (headers_of(f"{GET_WALLET}s"), BODY, UNIMPLEMENTED),
    "a long path": (headers_of("/" + "x" * 5_000), BODY, UNIMPLEMENTED),
    "a path that is no UTF-8": (headers_of(b"/\xff\xfe\0"), BODY, UNIMPLEMENTED),
    "what health has and does not do": (
        headers_of("/grpc.health.v1.Health/List"),
        message(b""),
        UNIMPLEMENTED,
    ),
    "a timeout of no kind": (headers_of(GET_WALLET, grpc_timeout=b"-1S"), BODY, INTERNAL),
    "a timeout of centuries": (
        headers_of(GET_WALLET, grpc_timeout=b"99999999H"),
        BODY,
        NOT_FOUND,
    ),
    "bytes that are no base64": (meta((b"x-bin", b"!!!")), BODY, INTERNAL),
    "a name in capitals": (meta((b"X-Name", b"a")), BODY, INTERNAL),
    "a value that is no text": (meta((b"x", b"\xff\0\r\n")), BODY, NOT_FOUND),
    "an unknown compression": (headers_of(GET_WALLET, grpc_encoding=b"snappy"), BODY, INTERNAL),
    "compressed, and does not say how": (headers_of(GET_WALLET), message(b"", 1), INTERNAL),
    "said to be compressed": (
        headers_of(GET_WALLET, grpc_encoding=b"gzip"),
        message(b"no gzip", 1),
        INTERNAL,
    ),
    "a bomb": (
        headers_of(GET_WALLET, grpc_encoding=b"gzip"),
        message(gzip.compress(bytes(8 * 1024 * 1024)), 1),
        RESOURCE_EXHAUSTED,
    ),
    "a message of 4 GiB": (headers_of(GET_WALLET), message(b"", 0, 2**32 - 1), RESOURCE_EXHAUSTED),
    "less than was said": (headers_of(GET_WALLET), message(b"ab", 0, 3), INVALID_ARGUMENT),
    "nothing": (headers_of(GET_WALLET), b"", INVALID_ARGUMENT),
    "no message": (headers_of(GET_WALLET), message(b"\xff" * 99), INVALID_ARGUMENT),
}


async def test_what_is_no_call_is_refused_with_the_right_code(
    doors: Mapping[str, Door], caplog: pytest.LogCaptureFixture
) -> None:
    async def answer_to(headers: list[Header], body: bytes) -> Answer:
        async with greeted(doors["wallet"]) as connection:
            await connection.send(request_frames(headers), data_frames(body))
            return await asyncio.wait_for(connection.answer(), ANSWER_SECONDS)

    async with serving_as_before(doors, "wallet"):
        answers = await asyncio.gather(
            *(answer_to(headers, body) for headers, body, _ in NO_CALLS.values())
        )
    found = {what: answer.status for what, answer in zip(NO_CALLS, answers, strict=True)}
    assert found == {what: status for what, (_, _, status) in NO_CALLS.items()}
    assert not [each for each in answers if each.ended]
    assert "Traceback" not in caplog.text
