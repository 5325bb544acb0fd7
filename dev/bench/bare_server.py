"""A bare grpc.aio server, whose every answer is there already: the ceiling of a service in Python.

And it takes every level that a wallet announces, so that no service goes on telling while it is
measured.
"""

import argparse
import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import uvloop
from google.protobuf.message import Message

from tollgate.telephony.v1 import telephony_service_pb2 as telephony_pb2
from tollgate.wallet.v1 import wallet_observer_service_pb2 as observer_pb2
from tollgate.wallet.v1 import wallet_service_pb2 as wallet_pb2


class Unary(NamedTuple):
    """A method that is compared with a bare one of the same messages."""

    service: str
    request: type[Message]
    response: type[Message]


UNARIES: Mapping[str, Unary] = {
    "Debit": Unary(
        "tollgate.wallet.v1.WalletService", wallet_pb2.DebitRequest, wallet_pb2.DebitResponse
    ),
    "CanOrganizationSend": Unary(
        "tollgate.telephony.v1.TelephonyService",
        telephony_pb2.CanOrganizationSendRequest,
        telephony_pb2.CanOrganizationSendResponse,
    ),
}


def main() -> None:
    arguments = _arguments()
    no_ops = [no_op(file.name, file.read_bytes()) for file in arguments.answer]
    uvloop.run(serve(arguments.address, [*no_ops, observer()]))


async def serve(address: str, handlers: list[grpc.GenericRpcHandler]) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(handlers)
    server.add_insecure_port(address)
    await server.start()
    await stop.wait()
    await server.stop(grace=None)


def no_op(name: str, body: bytes) -> grpc.GenericRpcHandler:
    """The service's method as generated code would add it, and nothing behind it."""
    unary = UNARIES[name]
    response = unary.response.FromString(body)

    async def answer(_request: Message, _context: Any) -> Message:
        return response

    method = grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=unary.request.FromString,
        response_serializer=unary.response.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(unary.service, {name: method})


def observer() -> grpc.GenericRpcHandler:
    """Acknowledges."""

    async def report_wallet(
        request: observer_pb2.ReportWalletRequest, _context: Any
    ) -> observer_pb2.ReportWalletResponse:
        return observer_pb2.ReportWalletResponse(stored_revision=request.revision)

    method = grpc.unary_unary_rpc_method_handler(
        report_wallet,
        request_deserializer=observer_pb2.ReportWalletRequest.FromString,
        response_serializer=observer_pb2.ReportWalletResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(
        "tollgate.wallet.v1.WalletObserverService", {"ReportWallet": method}
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dev.bench.bare_server", description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument(
        "--answer", type=Path, action="append", default=[], help="a message, named like its method"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
