"""What another service refuses, in the words of the contract."""

from typing import Any

import grpc
import pytest
from grpc_status import rpc_status

from libs.errors import DomainError, ErrorReason, OverloadedError
from libs.rpc.boundary import to_status
from libs.rpc.client import call


async def refusal_of(error: grpc.aio.AioRpcError) -> DomainError:
    async def answer(_request: object, *, timeout: float) -> None:
        raise error

    method: Any = answer
    with pytest.raises(DomainError) as caught:
        await call("wallet", method, "request", timeout_seconds=1)
    return caught.value


def as_received(error: DomainError) -> grpc.aio.AioRpcError:
    status: Any = rpc_status.to_status(to_status(error))
    trailing = grpc.aio.Metadata(*status.trailing_metadata)
    return grpc.aio.AioRpcError(status.code, grpc.aio.Metadata(), trailing, status.details)


async def test_a_refusal_is_passed_on_with_its_values() -> None:
    frozen = DomainError(ErrorReason.WALLET_FROZEN, "frozen", freezeReasons="DISPUTE")
    passed_on = await refusal_of(as_received(frozen))
    assert passed_on.reason is ErrorReason.WALLET_FROZEN
    assert passed_on.message == "frozen"
    assert passed_on.metadata == {"freezeReasons": "DISPUTE"}


@pytest.mark.parametrize(
    "error",
    [
        grpc.aio.AioRpcError(
            grpc.StatusCode.DEADLINE_EXCEEDED, grpc.aio.Metadata(), grpc.aio.Metadata()
        ),
        as_received(OverloadedError("too much is waiting", retry_after_seconds=0.1)),
    ],
    ids=["silent", "overloaded"],
)
async def test_what_another_service_does_not_answer_may_be_tried_again(
    error: grpc.aio.AioRpcError,
) -> None:
    unavailable = await refusal_of(error)
    assert unavailable.reason is ErrorReason.SERVICE_UNAVAILABLE
    assert unavailable.metadata == {"service": "wallet"}
