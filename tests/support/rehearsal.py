"""Carries out the commands of docs/operations.md, with PostgreSQL's own programs."""

import asyncio
import io
import os
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from dev.postgres import EmbeddedPostgres
from dev.postgres_binaries import find_binaries
from dev.service_databases import SERVICES
from dev.verify_ledger import parse_options, verify
from libs.migrations import migrate
from tests.support.databases import ServiceDatabase
from tests.support.markdown import ROOT, Block
from tests.support.stack import Stack

PASSWORD = "a-password-of-a-rehearsal"
# The container of docker-compose.yml stands for a server of the test's.
DOCKER = r"""
set -euo pipefail
docker() {
  case "$*" in
    "compose logs --no-log-prefix wallet") cat "$WALLET_LOG" ;;
    "compose exec -T postgres "*)
      local arguments=("${@:5}") at
      for at in "${!arguments[@]}"; do
        arguments[at]=${arguments[at]/#\/docker-entrypoint-initdb.d/$COMPOSE_FOLDER}
        local name="NAME_OF_${arguments[at]}"
        if [[ $name =~ ^[a-zA-Z_]+$ ]]; then arguments[at]=${!name:-${arguments[at]}}; fi
      done
      "${arguments[@]}" ;;
    *) echo "nobody knows how to: docker $*" >&2; return 64 ;;
  esac
}
"""


class Host:
    """A host that runs the stack, and whatever the page says."""

    def __init__(self, stack: Stack, folder: Path, server: EmbeddedPostgres) -> None:
        """Make `folder` where commands run; `server` is PostgreSQL's, until it is lost."""
        self._stack = stack
        self._folder = folder
        self._server = server
        self._owner_urls: dict[str, str] = {}
        self.wallet_log = folder / "of_the_container.log"

    def replace_server(self, server: EmbeddedPostgres, *services: str) -> None:
        """Let there be a new server, empty, for these services' databases."""
        self._server = server
        made = {name: self._database_of(name) for name in services}
        self._stack.databases = {**self._stack.databases, **made}
        for name in services:
            owner = f"{name}_owner:{PASSWORD}"
            self._owner_urls[name] = made[name].url.replace(f"{name}:{PASSWORD}", owner)

    async def run(self, block: Block) -> str:
        """Carry out all commands of a block, and return what they show."""
        return "".join([await self._run(command) for command in _commands(block.text)])

    async def verify_ledger(self, arguments: str) -> str:
        """Carry out dev.verify_ledger with these arguments; return what it shows."""
        screen = io.StringIO()
        told = shlex.split(arguments.replace("localhost:50051", self._stack.addresses["wallet"]))
        # Here nobody proves anything.
        at = told.index("--tls")
        options = parse_options([*told[:at], *told[at + 2 :]])
        logs = tuple(self._folder / log for log in options.logs)
        await verify(replace(options, logs=logs), Console(file=screen, width=200))
        return screen.getvalue()

    async def _run(self, command: str) -> str:
        match shlex.split(command):
            case ["docker", "compose", "stop", *services]:
                await self._stack.stop(*(name for name in services if name in self._stack.running))
            case ["docker", "compose", "up", "-d", *services]:
                await self._start(*services)
            case ["docker", "compose", "restart", *services]:
                await self._stack.stop(*services)
                await self._stack.start(*services)
            case ["docker", "compose", "run", "--rm", "migrations"]:
                await self._migrate()
            case [".venv/bin/python", "-m", "dev.verify_ledger", *arguments]:
                return await self.verify_ledger(shlex.join(arguments))
            case _:
                return await self._run_in_shell(command)
        return ""

    async def _start(self, *services: str) -> None:
        if services != ("--wait", "postgres"):
            await self._stack.start(*(name for name in services if name in self._stack.databases))

    async def _migrate(self) -> None:
        for name, database in self._stack.databases.items():
            url = self._owner_urls.get(name, database.superuser_url)
            await migrate(url, ROOT / "services" / name / "migrations")

    async def _run_in_shell(self, command: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", f"{DOCKER}{command}"), cwd=self._folder, env=self._environment()
        )
        assert await process.wait() == 0, command
        return ""

    def _environment(self) -> dict[str, str]:
        url = urlsplit(self._server.superuser_url())
        databases = self._stack.databases
        return {
            **{f"NAME_OF_{name}": database.name for name, database in databases.items()},
            **{
                f"{name.upper()}{kind}_DATABASE_PASSWORD": PASSWORD
                for name in SERVICES
                for kind in ("", "_OWNER", "_READER")
            },
            "PATH": f"{find_binaries()}:{os.environ['PATH']}",
            "PGHOST": str(url.hostname),
            "PGPORT": str(url.port),
            "PGPASSWORD": str(url.password),
            "WALLET_LOG": str(self.wallet_log),
            "COMPOSE_FOLDER": str(ROOT / "ops" / "compose"),
        }

    def _database_of(self, name: str) -> ServiceDatabase:
        superuser_url = self._server.superuser_url(name)
        server = superuser_url.rpartition("@")[2]
        return ServiceDatabase(
            name,
            url=f"postgresql://{name}:{PASSWORD}@{server}",
            reader_url=f"postgresql://{name}_reader:{PASSWORD}@{server}",
            superuser_url=superuser_url,
        )


def _commands(text: str) -> Iterator[str]:
    """Return each command by itself; a loop is one."""
    command = ""
    for line in text.splitlines():
        command += f"{line}\n"
        is_whole = command.count("for ") == command.count("done\n")
        if is_whole and not line.endswith("\\"):
            yield command
            command = ""
