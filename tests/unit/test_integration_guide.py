"""How docs/integration.md calls, against a service that refuses as it is told."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from libs.errors import DomainError, ErrorReason, OverloadedError
from libs.rpc.boundary import to_status
from tests.support.markdown import blocks_of
from tollgate.wallet.v1.wallet_pb2 import Wallet
from tollgate.wallet.v1.wallet_service_pb2 import GetWalletRequest, GetWalletResponse

PAGE = "docs/integration.md"
UNAVAILABLE = DomainError(ErrorReason.DATABASE_UNAVAILABLE, "the database is away")
OVERLOADED = OverloadedError("too much is waiting", retry_after_seconds=0.01)
FROZEN = DomainError(ErrorReason.WALLET_FROZEN, "frozen", freezeReasons="DISPUTE")
REQUEST = GetWalletRequest(organization_id="acme")


class Refusing:
    """A wallet that refuses for each of these reasons once, and then answers."""

    def __init__(self) -> None:
        self.reasons: list[DomainError] = []
        self.call_count = 0

    def get_wallet(self, _: GetWalletRequest, context: grpc.ServicerContext) -> GetWalletResponse:
        """Answer one call."""
        self.call_count += 1
        if self.reasons:
            status: Any = rpc_status.to_status(to_status(self.reasons.pop(0)))
            context.abort_with_status(status)
        return GetWalletResponse(wallet=Wallet(organization_id="acme"))


@pytest.fixture
def guide() -> dict[str, Any]:
    """What the page defines to call with."""
    [code] = [block.text for block in blocks_of(PAGE) if "def call(" in block.text]
    names: dict[str, Any] = {"grpc": grpc}
    exec(code, names)  # noqa: S102
    return names


@pytest.fixture
def wallet() -> Refusing:
    """A wallet that has no reason to refuse yet."""
    return Refusing()


@pytest.fixture
def get_wallet(wallet: Refusing) -> Iterator[Callable[..., Any]]:
    """Its rpc, over a channel as backends have it."""
    handler = grpc.unary_unary_rpc_method_handler(
        wallet.get_wallet,
        request_deserializer=GetWalletRequest.FromString,
        response_serializer=GetWalletResponse.SerializeToString,
    )
    handlers = grpc.method_handlers_generic_handler(
        "tollgate.wallet.v1.WalletService", {"GetWallet": handler}
    )
    server = grpc.server(ThreadPoolExecutor(1), [handlers])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel.unary_unary(
            "/tollgate.wallet.v1.WalletService/GetWallet",
            request_serializer=GetWalletRequest.SerializeToString,
            response_deserializer=GetWalletResponse.FromString,
        )
    server.stop(None).wait()


def test_what_passes_is_asked_again(
    guide: dict[str, Any], wallet: Refusing, get_wallet: Callable[..., Any]
) -> None:
    wallet.reasons = [UNAVAILABLE, OVERLOADED, OVERLOADED]
    assert guide["call"](get_wallet, REQUEST).wallet.organization_id == "acme"
    assert wallet.call_count == 4


def test_what_does_not_pass_is_raised_at_once_and_read(
    guide: dict[str, Any], wallet: Refusing, get_wallet: Callable[..., Any]
) -> None:
    wallet.reasons = [FROZEN]
    with pytest.raises(grpc.RpcError) as caught:
        guide["call"](get_wallet, REQUEST)
    info = guide["detail"](caught.value, error_details_pb2.ErrorInfo)
    assert (info.reason, info.metadata["freezeReasons"]) == ("WALLET_FROZEN", "DISPUTE")
    assert wallet.call_count == 1


def test_nobody_is_asked_for_ever(
    guide: dict[str, Any], wallet: Refusing, get_wallet: Callable[..., Any]
) -> None:
    wallet.reasons = [OVERLOADED] * 9
    with pytest.raises(grpc.RpcError):
        guide["call"](get_wallet, REQUEST, attempts=3)
    assert wallet.call_count == 3
