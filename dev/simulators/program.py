"""What the simulators have in common where they run as programs."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol


class Simulator(Protocol):
    """What runs until it is told to stop."""

    async def start(self, host: str, port: int) -> None: ...

    async def stop(self) -> None: ...

    @property
    def base_url(self) -> str: ...


def arguments_of(module: str, description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state-file", type=Path, help="keeps the account between runs")
    return parser


def require_settings(names: Sequence[str]) -> list[str]:
    """The values of environment variables; without one of them nothing begins."""
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        names_missing = " and ".join(f"{name} is not set" for name in missing)
        sys.exit(f"{names_missing}: what the simulator accepts, or signs with.")
    return [os.environ[name] for name in names]


def run(name: str, make: Callable[[], Simulator], arguments: argparse.Namespace) -> None:
    """Run a simulator, made within the loop, until a signal stops it."""
    asyncio.run(_run(name, make, arguments))


async def _run(name: str, make: Callable[[], Simulator], arguments: argparse.Namespace) -> None:
    stop_asked = asyncio.Event()
    for stop_signal in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(stop_signal, stop_asked.set)
    simulator = make()
    await simulator.start(arguments.host, arguments.port)
    print(f"{name} simulator on {simulator.base_url}", flush=True)
    try:
        await stop_asked.wait()
    finally:
        await simulator.stop()
