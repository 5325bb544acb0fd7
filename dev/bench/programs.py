"""The programs that are measured and those that measure, as processes of this checkout."""

import asyncio
import json
import os
import shlex
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType

from dev.bench.load import Timing
from dev.postgres import HOST
from dev.stack.children import Child, ChildDiedError, start_child
from dev.stack.errors import StackError
from dev.stack.services import only
from dev.stack.settings import CHECKOUT

START_SECONDS_MAX = 30.0
CONNECT_AGAIN_SECONDS = 0.05
NOTHING: Mapping[str, str] = MappingProxyType({})


def free_address() -> str:
    """An address that nobody listens on."""
    with socket.create_server((HOST, 0)) as listener:
        return f"{HOST}:{listener.getsockname()[1]}"


@asynccontextmanager
async def run_server(
    name: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    address: str,
    log_directory: Path,
) -> AsyncIterator[Child]:
    """A Python module that listens, until the end of the block."""
    child = await start_child(
        name, arguments, only((), os.environ) | dict(environment), log_directory
    )
    try:
        await _wait_until_reachable(child, address)
        yield child
    finally:
        await child.stop()


async def take_timing(
    module: str, *arguments: str, environment: Mapping[str, str] = NOTHING
) -> Timing:
    """Runs a client to its end, and returns what it has measured."""
    output = await run_to_end(sys.executable, "-m", module, *arguments, environment=environment)
    return Timing(*json.loads(output))


async def run_to_end(*command: str, environment: Mapping[str, str] = NOTHING) -> str:
    """Returns what a program prints; its end is that of who runs it, if that comes first."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=CHECKOUT,
        env=only((), os.environ) | dict(environment),
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        output, errors = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        raise StackError(f"{shlex.join(command)} failed: {errors.decode(errors='replace')}")
    return output.decode()


async def _wait_until_reachable(child: Child, address: str) -> None:
    waits = [asyncio.ensure_future(_connect(address)), asyncio.ensure_future(child.wait())]
    try:
        await asyncio.wait(waits, timeout=START_SECONDS_MAX, return_when=asyncio.FIRST_COMPLETED)
        is_reachable = waits[0].done()
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    if not child.is_alive:
        raise ChildDiedError(child.name, child.process.returncode, child.log_file)
    if not is_reachable:
        raise StackError(f"{child.name} does not listen: see {child.log_file}.")


async def _connect(address: str) -> None:
    """Returns once somebody listens there."""
    host, _, port = address.rpartition(":")
    while True:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except ConnectionRefusedError:
            await asyncio.sleep(CONNECT_AGAIN_SECONDS)
        else:
            writer.close()
            return
