"""Programs that run for as long as their starter lets them, each with a log of its own."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dev.stack.errors import StackError
from dev.stack.settings import CHECKOUT

BECOME = CHECKOUT / "dev" / "become.py"
LOG_LINES_SHOWN = 15

# Finish what is in hand, end: how long each may take.
STOP_SIGNALS = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))


@dataclass(frozen=True)
class Child:
    """One program."""

    name: str
    process: Process
    log_file: Path

    @property
    def is_alive(self) -> bool:
        return self.process.returncode is None

    async def wait(self) -> None:
        """Returns when it has ended, on purpose or not."""
        await self.process.wait()

    async def stop(self) -> None:
        for stop_signal, seconds in STOP_SIGNALS:
            with suppress(ProcessLookupError):
                self.process.send_signal(stop_signal)
            try:
                await asyncio.wait_for(self.process.wait(), seconds)
                return
            except TimeoutError:
                continue


class ChildDiedError(StackError):
    """A program ended that should still run."""

    def __init__(self, name: str, exit_code: int | None, log_file: Path) -> None:
        super().__init__(f"{name} {_tell_end(exit_code)}. The end of {log_file}:")
        self.log_end = "\n".join(
            log_file.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        )


async def start_child(
    name: str, arguments: Sequence[str], environment: Mapping[str, str], log_directory: Path
) -> Child:
    """Starts a Python module in a session of its own, out of reach of the terminal's Ctrl-C."""
    log_file = log_directory / f"{name}.log"
    with log_file.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(BECOME)),
            *(str(os.getpid()), str(os.geteuid()), str(os.getegid())),
            *(sys.executable, "-m", *arguments),
            cwd=CHECKOUT,
            env=environment,
            stdin=DEVNULL,
            stdout=log,
            stderr=STDOUT,
            start_new_session=True,
        )
    return Child(name, process, log_file)


async def stop_children(children: Sequence[Child]) -> None:
    """All of them at once."""
    await asyncio.gather(*(child.stop() for child in children))


def _tell_end(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"was ended by {signal.Signals(-exit_code).name}"
    return f"ended with exit code {exit_code}"
