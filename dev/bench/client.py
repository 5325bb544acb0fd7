"""The client of every measurement over gRPC, as a process of its own: tells its timing as JSON."""

import argparse
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeAlias, TypeVar

import grpc
import uvloop

from dev.bench.load import Timing, drive
from dev.bench.requests import batches, debits, sending_questions
from libs.rpc.channel import open_channel
from libs.rpc.credentials import read_certificates
from tollgate.telephony.v1 import telephony_service_pb2
from tollgate.wallet.v1 import wallet_service_pb2

ResponseT = TypeVar("ResponseT")

SERVICE = "/tollgate.wallet.v1.WalletService"
TELEPHONY_SERVICE = "/tollgate.telephony.v1.TelephonyService"
TIMEOUT_SECONDS = 30.0
WARM_UP_SECONDS = 0.5
WARM_UP_BATCHES = 4

# Requests are made before the clock starts: for more calls than any machine does in Python.
CALLS_PER_SECOND_MAX = 10_000


Call: TypeAlias = Callable[[bytes], Awaitable[None]]
UnaryCall: TypeAlias = "grpc.aio.UnaryUnaryMultiCallable[bytes, ResponseT]"


class FailedCallError(Exception):
    """An answer that is not what a client would take for success."""


def main() -> None:
    arguments = _arguments()
    timing = uvloop.run(measure(arguments))
    print(json.dumps(timing))


async def measure(arguments: argparse.Namespace) -> Timing:
    certificates = read_certificates(arguments.tls) if arguments.tls else None
    async with open_channel(arguments.address, certificates) as channel:
        if arguments.what == "batches":
            return await measure_batches(
                channel, arguments.wallets, arguments.count, arguments.in_flight
            )
        call, make = SINGLE_CALLS[arguments.what]
        return await measure_calls(call(channel), make, arguments.seconds, arguments.in_flight)


async def measure_calls(
    call: Call, make: Callable[[int], list[bytes]], seconds: float, in_flight: int
) -> Timing:
    warm_up_requests = make(round(CALLS_PER_SECOND_MAX * WARM_UP_SECONDS))
    requests = make(round(CALLS_PER_SECOND_MAX * seconds))
    await drive(call, warm_up_requests, in_flight, WARM_UP_SECONDS)
    return await drive(call, requests, in_flight, seconds)


async def measure_batches(
    channel: grpc.aio.Channel, wallet_count: int, count: int, in_flight: int
) -> Timing:
    call = batch_debit_by(channel)
    requests = batches(wallet_count, WARM_UP_BATCHES + count)
    await drive(call, requests[:WARM_UP_BATCHES], in_flight)
    return await drive(call, requests[WARM_UP_BATCHES:], in_flight)


def debit_by(channel: grpc.aio.Channel) -> Call:
    method: UnaryCall[wallet_service_pb2.DebitResponse] = channel.unary_unary(
        f"{SERVICE}/Debit",
        response_deserializer=wallet_service_pb2.DebitResponse.FromString,
    )

    async def call(request: bytes) -> None:
        response = await method(request, timeout=TIMEOUT_SECONDS, wait_for_ready=True)
        if response.replayed or response.entry.sequence < 1:
            raise FailedCallError(str(response))

    return call


def batch_debit_by(channel: grpc.aio.Channel) -> Call:
    method: UnaryCall[wallet_service_pb2.BatchDebitResponse] = channel.unary_unary(
        f"{SERVICE}/BatchDebit",
        response_deserializer=wallet_service_pb2.BatchDebitResponse.FromString,
    )

    async def call(request: bytes) -> None:
        response = await method(request, timeout=TIMEOUT_SECONDS, wait_for_ready=True)
        for result in response.results:
            if not result.HasField("response") or result.response.replayed:
                raise FailedCallError(str(result))

    return call


def ask_by(channel: grpc.aio.Channel) -> Call:
    method: UnaryCall[telephony_service_pb2.CanOrganizationSendResponse] = channel.unary_unary(
        f"{TELEPHONY_SERVICE}/CanOrganizationSend",
        response_deserializer=telephony_service_pb2.CanOrganizationSendResponse.FromString,
    )

    async def call(request: bytes) -> None:
        response = await method(request, timeout=TIMEOUT_SECONDS, wait_for_ready=True)
        if not response.allowed:
            raise FailedCallError(str(response))

    return call


SINGLE_CALLS: Mapping[
    str, tuple[Callable[[grpc.aio.Channel], Call], Callable[[int], list[bytes]]]
] = {"debits": (debit_by, debits), "questions": (ask_by, sending_questions)}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dev.bench.client", description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--tls", type=Path, help="the caller's certificates")
    parser.add_argument("--in-flight", type=int, required=True)
    what = parser.add_subparsers(dest="what", required=True)
    for name in SINGLE_CALLS:
        single = what.add_parser(name)
        single.add_argument("--seconds", type=float, required=True)
    batched = what.add_parser("batches")
    batched.add_argument("--wallets", type=int, required=True)
    batched.add_argument("--count", type=int, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
