"""The command line of every service: `python -m services.<name> [serve | migrate]`."""

import argparse
import asyncio
import gc
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import uvloop
from pydantic import SecretStr

from libs.config import ServiceSettings, load_settings
from libs.database import reason_of
from libs.database_urls import require_database_url
from libs.logs import configure_logs
from libs.migrations import MIGRATION_ERRORS, migrate
from libs.secret_files import read_secret
from libs.service import CannotListenError, Service
from libs.telemetry import start_telemetry

GARBAGE_THRESHOLD = 200_000
# Connections are files; the usual 1024 are used up by whoever opens as many and says nothing.
FILES_MAX = 65_536

SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


def run_process(
    name: str,
    settings_type: type[SettingsT],
    build: Callable[[SettingsT], Awaitable[Service]],
    migrations: Path | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, or bring the database, if there is one, up to date and end."""
    parser = argparse.ArgumentParser(prog=f"python -m services.{name}")
    commands = ("serve", "migrate") if migrations else ("serve",)
    parser.add_argument("command", nargs="?", choices=commands, default="serve")
    command = parser.parse_args().command
    if migrations and command == "migrate":
        configure_logs(name, "INFO")
        _migrate(name, migrations)
        return
    settings = load_settings(settings_type)
    stop_telemetry = start_telemetry(name, settings)
    open_more_files()
    try:
        is_well = uvloop.run(_serve(settings, build))
    except CannotListenError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None
    finally:
        stop_telemetry()
    if not is_well:
        raise SystemExit(1)


def _migrate(name: str, migrations: Path) -> None:
    try:
        uvloop.run(migrate(_owner_url(name), migrations))
    except MIGRATION_ERRORS as error:
        print(f"the database cannot be migrated: {reason_of(error)}", file=sys.stderr)
        raise SystemExit(1) from None


def _owner_url(name: str) -> str:
    setting = f"{name.upper()}_OWNER_DATABASE_URL"
    try:
        url = SecretStr(read_secret(setting, os.environ) or "")
        return require_database_url(url).get_secret_value()
    except ValueError as error:
        print(f"setting {setting}: {error}", file=sys.stderr)
        raise SystemExit(2) from None


async def _serve(settings: SettingsT, build: Callable[[SettingsT], Awaitable[Service]]) -> bool:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    service = await build(settings)
    _collect_garbage_less_often()
    return await service.run(stop)


def open_more_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_MAX if hard == resource.RLIM_INFINITY else min(FILES_MAX, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _collect_garbage_less_often() -> None:
    """What was made until now stays; calls make much that is gone soon, and hardly a cycle."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
