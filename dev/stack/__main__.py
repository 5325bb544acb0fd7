"""Starts everything, says where it listens, and runs until it is told to stop."""

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import structlog
from rich.console import Console

from dev.stack.doors import Doors, plan_doors, refuse_taken_doors
from dev.stack.errors import StackError
from dev.stack.screen import show_env_file, show_problem, show_running
from dev.stack.settings import (
    StackSettings,
    env_file,
    keep_in_env_file,
    made_up_values,
    read_environment,
    read_settings,
)
from dev.stack.stack import Stack

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    console = Console(highlight=False)
    try:
        asyncio.run(run_until_told_to_stop(console))
    except (StackError, PermissionError) as error:
        show_problem(console, error)
        sys.exit(1)


async def run_until_told_to_stop(console: Console) -> None:
    given = read_environment()
    settings = read_settings(given)
    doors = plan_doors(settings, given)
    refuse_taken_doors(doors.all())
    log_to(settings.log_directory / "stack.log")
    run = asyncio.ensure_future(run_stack(console, settings, make_up_rest(console, given), doors))
    on_stop_signals(run.cancel)
    try:
        await run
    except asyncio.CancelledError:
        console.print("Stopped.")


async def run_stack(
    console: Console, settings: StackSettings, environment: dict[str, str], doors: Doors
) -> None:
    stack = Stack(settings, environment, doors)
    try:
        with console.status("Starting ..."):
            await stack.start()
        show_running(console, doors, settings)
        await stack.watch()
    finally:
        # A second Ctrl-C must not interrupt the stopping, which would leave processes.
        on_stop_signals(lambda: None)
        await stack.stop()


def make_up_rest(console: Console, given: dict[str, str]) -> dict[str, str]:
    """Adds development values for what is missing, the same ones the next time."""
    made_up = made_up_values(given)
    if made_up:
        keep_in_env_file(made_up)
        show_env_file(console, env_file())
    return given | made_up


def on_stop_signals(react: Callable[[], object]) -> None:
    for stop_signal in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(stop_signal, react)


def log_to(file: Path) -> None:
    """Keeps what libraries log, such as which migration was applied, off the terminal."""
    file.parent.mkdir(parents=True, exist_ok=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=file.open("w")),
    )


if __name__ == "__main__":
    main()
