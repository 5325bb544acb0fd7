"""`make run` and what belongs to it, each with settings and data of a test's own."""

import os
import sys
from asyncio.subprocess import PIPE, STDOUT, Process, create_subprocess_exec
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from dev.stack.running_stack import RunningStack, read_running_stack
from tests.support.services import free_address

CHECKOUT = Path(__file__).parents[2]
LAST_LINE = "Ctrl-C stops everything."

ADDRESS_SETTINGS = (
    *("WALLET_LISTEN_ADDRESS", "WALLET_METRICS_ADDRESS"),
    *("CAMPAIGN_LISTEN_ADDRESS", "CAMPAIGN_METRICS_ADDRESS"),
    *("TELEPHONY_LISTEN_ADDRESS", "TELEPHONY_METRICS_ADDRESS"),
    *("BILLING_GATEWAY_LISTEN_ADDRESS", "BILLING_GATEWAY_METRICS_ADDRESS"),
    "BILLING_GATEWAY_HTTP_ADDRESS",
    *("OPERATOR_CONSOLE_LISTEN_ADDRESS", "OPERATOR_CONSOLE_METRICS_ADDRESS"),
)
PORT_SETTINGS = (
    "TOLLGATE_POSTGRES_PORT",
    *("TOLLGATE_TWILIO_SIMULATOR_PORT", "TOLLGATE_PAYPAL_SIMULATOR_PORT"),
    "TOLLGATE_STRIPE_SIMULATOR_PORT",
)
MACHINE_SETTINGS = ("PATH", "PYTHONPATH", "HOME", "LANG", "TMPDIR")


def environment_in(folder: Path) -> dict[str, str]:
    """Return ports that nobody has, and nothing of the checkout's own."""
    return {
        **{name: os.environ[name] for name in MACHINE_SETTINGS if name in os.environ},
        **{name: free_address() for name in ADDRESS_SETTINGS},
        **{name: free_address().rpartition(":")[2] for name in PORT_SETTINGS},
        "TOLLGATE_DATA_DIRECTORY": str(folder / "data"),
        "TOLLGATE_ENV_FILE": str(folder / ".env"),
    }


async def launch(environment: Mapping[str, str], *arguments: str) -> Process:
    return await create_subprocess_exec(
        *(sys.executable, *arguments), cwd=CHECKOUT, env=environment, stdout=PIPE, stderr=STDOUT
    )


async def run(environment: Mapping[str, str], *arguments: str) -> tuple[int | None, str]:
    """The exit code, and what was shown."""
    process = await launch(environment, *arguments)
    shown, _ = await process.communicate()
    return process.returncode, shown.decode()


async def read_until(process: Process, last_line: str) -> str:
    assert process.stdout is not None
    shown = ""
    async for line in process.stdout:
        shown += line.decode()
        if last_line in shown:
            return shown
    raise AssertionError(f"ended instead of showing {last_line!r}:\n{shown}")


@asynccontextmanager
async def make_run(environment: Mapping[str, str]) -> AsyncIterator[tuple[Process, str]]:
    """A stack that is up, and what it has shown."""
    process = await launch(environment, "-m", "dev.stack")
    try:
        yield process, await read_until(process, LAST_LINE)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def running_in(folder: Path) -> RunningStack:
    running = read_running_stack(folder / "data")
    assert running is not None
    return running
