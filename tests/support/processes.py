"""A service as a process of its own, to be killed."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
SERVING = health_pb2.HealthCheckResponse.SERVING


@dataclass(frozen=True)
class ServiceProcess:
    """One service of this checkout, where it listens, and what it is told."""

    name: str
    address: str
    settings: Mapping[str, str]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        """Run it until the end of the block, then kill it with no time to say goodbye.

        Hands out its process id.
        """
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT}:{ROOT / 'protos' / 'gen'}",
            f"{self.name.upper()}_LISTEN_ADDRESS": self.address,
            f"{self.name.upper()}_PLAINTEXT": "true",
            f"{self.name.upper()}_METRICS_ADDRESS": "127.0.0.1:0",
            f"{self.name.upper()}_POLL_INTERVAL_SECONDS": "0.2",
            **self.settings,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"services.{self.name}",
            env=environment,
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            await eventually(self._status, lambda status: status == SERVING, 30.0)
            yield process.pid
        finally:
            process.send_signal(signal.SIGKILL)
            await process.wait()

    async def _status(self) -> int:
        async with grpc.aio.insecure_channel(self.address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            try:
                return int((await stub.Check(health_pb2.HealthCheckRequest())).status)
            except grpc.aio.AioRpcError:
                return int(health_pb2.HealthCheckResponse.UNKNOWN)


# Some processes end at any moment, such as those for a connection to PostgreSQL.
GONE = (FileNotFoundError, ProcessLookupError)


def descendants(process_id: int) -> list[int]:
    """Return every process that it or one of them has started, as Linux knows them."""
    children = _children(process_id)
    return children + [each for child in children for each in descendants(child)]


def _children(process_id: int) -> list[int]:
    try:
        return [
            int(child)
            for thread in Path(f"/proc/{process_id}/task").iterdir()
            for child in (thread / "children").read_text().split()
        ]
    except GONE:
        return []


def command_lines(process_id: int) -> Iterator[str]:
    """Yield those of a process and all that it has started: anybody here may read them."""
    for each in (process_id, *descendants(process_id)):
        with suppress(*GONE):
            yield Path(f"/proc/{each}/cmdline").read_text()
