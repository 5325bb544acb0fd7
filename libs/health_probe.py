"""Exits 0 if a service says that it is serving: `python -m libs.health_probe HOST:PORT`."""

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

TIMEOUT_SECONDS = 3.0
ARGUMENT_COUNT = 2


def main() -> None:
    """Ask once."""
    if len(sys.argv) != ARGUMENT_COUNT:
        raise SystemExit("usage: python -m libs.health_probe HOST:PORT")
    with grpc.insecure_channel(sys.argv[1]) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            raise SystemExit(f"no answer: {error}") from error
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise SystemExit("not serving")


if __name__ == "__main__":
    main()
