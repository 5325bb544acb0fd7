"""Reads the rich errors that services answer."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

CODES = {code.value[0]: code for code in grpc.StatusCode}


@dataclass
class Refusal:
    """An error as a client sees it."""

    code: grpc.StatusCode
    reason: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    fields: list[str] = field(default_factory=list)
    retry_seconds: float | None = None


async def refusal(call: Awaitable[Any]) -> Refusal:
    """Return the error that a call is answered with; fail if it succeeds."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return read_refusal(caught.value)


def read_refusal(error: grpc.aio.AioRpcError) -> Refusal:
    """Read the details of an error."""
    call: Any = error
    status = rpc_status.from_call(call)
    return read_status(status) if status else Refusal(error.code())


def read_status(status: status_pb2.Status) -> Refusal:
    """Read the details of an error that stands in an answer."""
    found = Refusal(CODES[status.code])
    for detail in status.details:
        info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            found.reason, found.metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad_request):
            found.fields = [each.field for each in bad_request.field_violations]
        elif detail.Unpack(retry):
            found.retry_seconds = retry.retry_delay.ToTimedelta().total_seconds()
    return found
