"""A bare grpc.aio server, whose every answer is there already.

It answers debits: the ceiling of a service in Python. And it takes every level that a wallet
announces, so that no service goes on telling while it is measured.
"""

import argparse
import asyncio
import signal
from pathlib import Path
from typing import Any

import grpc
import uvloop

from tollgate.wallet.v1 import wallet_observer_service_pb2 as observer_pb2
from tollgate.wallet.v1 import wallet_service_pb2 as wallet_pb2


def main() -> None:
    arguments = _arguments()
    handler = (
        observer()
        if arguments.debit_response is None
        else no_op_wallet(arguments.debit_response.read_bytes())
    )
    uvloop.run(serve(arguments.address, handler))


async def serve(address: str, handler: grpc.GenericRpcHandler) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([handler])
    server.add_insecure_port(address)
    await server.start()
    await stop.wait()
    await server.stop(grace=None)


def no_op_wallet(body: bytes) -> grpc.GenericRpcHandler:
    """The service's Debit as generated code would add it, and nothing behind it."""
    response = wallet_pb2.DebitResponse.FromString(body)

    async def debit(_request: wallet_pb2.DebitRequest, _context: Any) -> wallet_pb2.DebitResponse:
        return response

    method = grpc.unary_unary_rpc_method_handler(
        debit,
        request_deserializer=wallet_pb2.DebitRequest.FromString,
        response_serializer=wallet_pb2.DebitResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(
        "tollgate.wallet.v1.WalletService", {"Debit": method}
    )


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
    parser.add_argument("--debit-response", type=Path, help="answers debits with this message")
    return parser.parse_args()


if __name__ == "__main__":
    main()
