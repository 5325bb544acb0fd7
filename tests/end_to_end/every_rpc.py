"""Every rpc that running services have, asked with whatever of its fields has a known value."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from tests.support.doors import Door, path_of, role_for
from tollgate.options.v1 import rules_pb2

TIMEOUT_SECONDS = 30.0
# What has no end of its own is heard for so long.
ENDLESS = {"tollgate.campaign.v1.CampaignService.WatchCampaigns"}
ENDLESS_SECONDS = 1.0
NUMBERS = count()

# By their names in JSON.
Values = Mapping[str, Any]


@dataclass
class Asked:
    """What was asked, how it ended, and everything that came back."""

    ends: set[tuple[str, grpc.StatusCode]] = field(default_factory=set)
    told: list[str] = field(default_factory=list)

    def ended(self, *, well: bool) -> set[str]:
        """Return the rpcs that were answered at least once, or refused."""
        return {name for name, code in self.ends if (code is grpc.StatusCode.OK) is well}


async def ask(
    asked: Asked,
    door: Door,
    methods: Sequence[MethodDescriptor],
    values: Values,
    *,
    only_required: bool = False,
) -> None:
    """Ask each rpc as somebody who may, one after the other, and keep what comes back."""
    async with AsyncExitStack() as exits:
        channels = {
            role: await exits.enter_async_context(door.open(role))
            for role in {role_for(method) for method in methods}
        }
        for method in methods:
            filled = _fill(method, values, only_required=only_required)
            code, told = await _ask_one(channels[role_for(method)], method, filled)
            asked.ends.add((method.full_name, code))
            asked.told.append(f"{method.full_name}: {told}")


def _fill(method: MethodDescriptor, values: Values, *, only_required: bool) -> dict[str, Any]:
    # No command has the reference of another, but where a test wants it so.
    known = {"referenceId": f"of-a-test-{next(NUMBERS)}", **values}
    return {
        each.json_name: known[each.json_name]
        for each in method.input_type.fields
        if each.json_name in known and (_is_required(each) or not only_required)
    }


def _is_required(each: FieldDescriptor) -> bool:
    rules = each.GetOptions().Extensions[rules_pb2.rules]
    return bool(rules.required or rules.HasField("minimum"))


async def _ask_one(
    channel: grpc.aio.Channel, method: MethodDescriptor, values: dict[str, Any]
) -> tuple[grpc.StatusCode, str]:
    request = json_format.ParseDict(values, GetMessageClass(method.input_type)())
    answer = GetMessageClass(method.output_type)
    make = channel.unary_stream if method.server_streaming else channel.unary_unary
    rpc: Any = make(
        path_of(method),
        request_serializer=type(request).SerializeToString,
        response_deserializer=answer.FromString,
    )
    is_endless = method.full_name in ENDLESS
    call = rpc(request, timeout=ENDLESS_SECONDS if is_endless else TIMEOUT_SECONDS)
    answers: list[Any] = []
    try:
        if method.server_streaming:
            async for each in call:
                answers.append(each)  # noqa: PERF401 - those before an error are kept, too
        else:
            answers.append(await call)
    except grpc.aio.AioRpcError as error:
        metadata = [error.initial_metadata(), error.trailing_metadata()]
        return error.code(), f"{answers} {error!r} {metadata}"
    metadata = [await call.initial_metadata(), await call.trailing_metadata()]
    return await call.code(), f"{answers} {metadata}"
