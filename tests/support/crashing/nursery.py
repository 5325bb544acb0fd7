"""Starts services quickly: a program that has imported everything forks each of them.

It reads a line of JSON for each, its name, settings and a file for its log, and answers with its
process id. It forks before anything of gRPC runs, which would not survive that.
"""

import asyncio
import gc
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from stripe import StripeClient  # noqa: F401 - is imported late, each time anew

from dev.billing_gateway import build_for_simulator
from libs.process import run_process
from services.billing_gateway import app as billing_gateway
from services.billing_gateway.config import BillingGatewaySettings
from services.telephony import app as telephony
from services.telephony.config import TelephonySettings
from tests.support.processes import ROOT

RUN = {
    "billing_gateway": partial(
        run_process,
        settings_type=BillingGatewaySettings,
        build=build_for_simulator,
        migrations=billing_gateway.MIGRATIONS,
    ),
    "telephony": partial(
        run_process,
        settings_type=TelephonySettings,
        build=telephony.build,
        migrations=telephony.MIGRATIONS,
    ),
}


class Nursery:
    """Where services come from."""

    def __init__(self, program: asyncio.subprocess.Process) -> None:
        assert program.stdin is not None
        assert program.stdout is not None
        self._requests, self._answers = program.stdin, program.stdout

    async def start(self, name: str, settings: Mapping[str, str], log_file: Path) -> int:
        """Start a service; return its process id."""
        request = json.dumps([name, dict(settings), str(log_file)])
        self._requests.write(request.encode() + b"\n")
        return int(await self._answers.readline())

    async def close(self) -> None:
        """Want no more."""
        self._requests.close()
        await self._requests.wait_closed()


@asynccontextmanager
async def open_nursery() -> AsyncIterator[Nursery]:
    """Open it until the end of the block; all that it has started ends with it."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{ROOT / 'protos' / 'gen'}",
    }
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__), env=environment, stdin=PIPE, stdout=PIPE
    )
    nursery = Nursery(program)
    yield nursery
    await nursery.close()
    await program.wait()


def main() -> None:
    # Nobody here waits for those that have died.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    process_ids = []
    for line in sys.stdin:
        process_id = os.fork()
        if process_id == 0:
            _become_service(*json.loads(line))
        process_ids.append(process_id)
        print(process_id, flush=True)  # noqa: T201 - the answer
    for process_id in process_ids:
        with suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGKILL)


def _become_service(name: str, settings: Mapping[str, str], log_file: str) -> None:
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(log, descriptor)
    os.environ.clear()
    os.environ.update(settings)
    RUN[name](name)
    sys.exit()


if __name__ == "__main__":
    main()
