"""Exits 0 if a service says that it is serving.

`python -m libs.health_probe HOST:PORT [TLS_DIRECTORY]`: the directory has tls.crt, tls.key and
ca.crt of whoever asks; without it, it is asked in the clear.
"""

import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from libs.rpc.credentials import read_certificates
from libs.rpc.proof import CertificatesUnusableError

TIMEOUT_SECONDS = 3.0
NO_PROXY = (("grpc.enable_http_proxy", 0),)


def main() -> None:
    """Ask once."""
    match sys.argv[1:]:
        case [address]:
            channel = grpc.insecure_channel(address, NO_PROXY)
        case [address, directory]:
            channel = grpc.secure_channel(address, _credentials(Path(directory)), NO_PROXY)
        case _:
            raise SystemExit("usage: python -m libs.health_probe HOST:PORT [TLS_DIRECTORY]")
    with channel:
        _ask(channel)


def _credentials(directory: Path) -> grpc.ChannelCredentials:
    try:
        return read_certificates(directory).for_client()
    except CertificatesUnusableError as error:
        raise SystemExit(f"no certificates: {error}") from error


def _ask(channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    try:
        answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_SECONDS)
    except grpc.RpcError as error:
        raise SystemExit(f"no answer: {error}") from error
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise SystemExit("not serving")


if __name__ == "__main__":
    main()
