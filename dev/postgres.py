"""An embedded PostgreSQL: one server on 127.0.0.1, its data in one folder, no set-up.

`<data_directory>/cluster` holds the data, `superuser_password` the password of role `postgres`,
`server.log` the log of the last run, `lock` is held by the server and every process of it.
"""

import asyncio
import fcntl
import os
import pwd
import secrets
import shutil
import signal
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

import asyncpg

from dev.postgres_binaries import find_binaries, reachable_for_everyone

HOST = "127.0.0.1"
# What docker-compose.yml has run as well.
SET_UP = Path(__file__).parents[1] / "ops" / "compose" / "sql" / "server.sql"
SUPERUSER = "postgres"
LOCK_SECONDS_MAX = 10.0
START_SECONDS_MAX = 60.0
POLL_SECONDS = 0.02
LOG_LINES_SHOWN = 15
FIRST_VERSION_WITH_BUILTIN_LOCALE = 17

# UTC also spares initdb its search for the machine's time zone.
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC"}

# Fast shutdown, immediate shutdown, none: how long each may take before the next is sent.
STOP_SIGNALS = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))


class EmbeddedPostgresError(Exception):
    """The server cannot be started; the message says why and what to do."""


class EmbeddedPostgres:
    """One PostgreSQL server, which ends with its starter.

    On Linux the server stops when the thread that called `start` ends, however it ends; elsewhere
    it outlives a starter that was killed. Root starts it as the owner of an existing cluster, as
    `nobody` for a new one.
    """

    def __init__(
        self,
        data_directory: Path,
        port: int,
        settings: Mapping[str, str] | None = None,
        binaries: Path | None = None,
    ) -> None:
        """`settings` are PostgreSQL's; `binaries` is the folder of its programs, found if None."""
        self._directory = data_directory.absolute()
        self._cluster = self._directory / "cluster"
        self._password_file = self._directory / "superuser_password"
        self._log_file = self._directory / "server.log"
        self._port = port
        self._settings = dict(settings or {})
        self._binaries = binaries
        self._process: Process | None = None

    async def start(self) -> None:
        """Returns when the server accepts connections. Makes the cluster if there is none."""
        if self._process is not None:
            raise EmbeddedPostgresError("This server was started already.")
        try:
            await self._start()
        except PermissionError as error:
            await self.stop()
            raise EmbeddedPostgresError(
                f"{error}: it belongs to another user; start as that user, "
                "or choose another folder."
            ) from error
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ends all connections and the server; safe to call twice or without a start."""
        process, self._process = self._process, None
        if process is not None:
            await _end(process)

    async def wait(self) -> int:
        """Returns the exit code when the server has ended, on purpose or not."""
        return await self._running().wait()

    @property
    def process_id(self) -> int:
        return self._running().pid

    def superuser_url(self, database: str = "postgres") -> str:
        password = self._password_file.read_text()
        return database_url(SUPERUSER, password, self._port, database)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _start(self) -> None:
        with await self._lock() as lock:
            _refuse_taken_port(self._port)
            launcher = self._launcher(lock)
            if not self._cluster.exists():
                await self._make_cluster(launcher)
            self._process = await self._launch(launcher)
        await self._wait_until_ready(self._process)
        await self._set_up()

    def _running(self) -> Process:
        if self._process is None:
            raise EmbeddedPostgresError("The server is not running.")
        return self._process

    async def _lock(self) -> IO[str]:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (self._directory / "lock").open("w")
        try:
            await self._wait_for_lock(lock)
        except BaseException:
            lock.close()
            raise
        return lock

    async def _wait_for_lock(self, lock: IO[str]) -> None:
        """Waits only for processes of a killed server: they hold the lock until they notice."""
        deadline = time.monotonic() + LOCK_SECONDS_MAX
        while not _try_lock(lock):
            if _is_server_alive(self._cluster) or time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"A PostgreSQL server is already running on {self._directory}: "
                    "stop it first, or choose another folder."
                )
            await asyncio.sleep(POLL_SECONDS)

    def _launcher(self, lock: IO[str]) -> "_Launcher":
        try:
            binaries = self._binaries or find_binaries()
        except FileNotFoundError as error:
            raise EmbeddedPostgresError(str(error)) from error
        if os.geteuid() == 0:
            binaries = reachable_for_everyone(binaries)
        return _Launcher(binaries, *_server_account(self._cluster), lock)

    async def _make_cluster(self, launcher: "_Launcher") -> None:
        """Makes it beside its place, so that a cluster which exists is complete."""
        unfinished = self._directory / "cluster.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        _write_secret(self._password_file, secrets.token_urlsafe(32))
        for path in (self._directory, unfinished, self._password_file):
            os.chown(path, launcher.user_id, launcher.group_id)
        await launcher.run(
            "initdb",
            *("--pgdata", _path_for_server(unfinished)),
            *("--username", SUPERUSER, "--pwfile", f"../{self._password_file.name}"),
            *("--auth", "scram-sha-256", "--encoding", "UTF8"),
            *await _locale_arguments(launcher),
            directory=unfinished,
        )
        unfinished.rename(self._cluster)

    async def _launch(self, launcher: "_Launcher") -> Process:
        """Whoever holds the lock is alone, so a `postmaster.pid` found here is stale."""
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)
        settings = {
            **self._settings,
            "listen_addresses": HOST,
            "port": str(self._port),
            "unix_socket_directories": "",
        }
        arguments = [f"--{name}={value}" for name, value in settings.items()]
        with self._log_file.open("wb") as log:
            return await launcher.launch(
                "postgres",
                *("-D", _path_for_server(self._cluster), *arguments),
                directory=self._cluster,
                output=log,
            )

    async def _wait_until_ready(self, process: Process) -> None:
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                while not await self._accepts_connections():
                    if process.returncode is not None:
                        raise EmbeddedPostgresError(f"PostgreSQL ended at once: {self._log_end()}")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError as error:
            raise EmbeddedPostgresError(f"PostgreSQL does not answer: {self._log_end()}") from error

    async def _accepts_connections(self) -> bool:
        try:
            connection = await asyncpg.connect(self.superuser_url())
        except (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError):
            return False
        await connection.close()
        return True

    async def _set_up(self) -> None:
        connection = await asyncpg.connect(self.superuser_url())
        try:
            await connection.execute(SET_UP.read_text())
        finally:
            await connection.close()

    def _log_end(self) -> str:
        lines = self._log_file.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES_SHOWN:])


@dataclass(frozen=True)
class _Launcher:
    """Starts PostgreSQL's programs as the server's user, each holding the lock while it lives."""

    binaries: Path
    user_id: int
    group_id: int
    lock: IO[str]

    async def launch(
        self, program: str, *arguments: str, directory: Path, output: IO[bytes] | int
    ) -> Process:
        become = Path(__file__).with_name("become.py")
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(become)),
            *(str(os.getpid()), str(self.user_id), str(self.group_id)),
            *(str(self.binaries / program), *arguments),
            cwd=directory,
            env=ENVIRONMENT,
            stdin=DEVNULL,
            stdout=output,
            stderr=STDOUT,
            pass_fds=[self.lock.fileno()],
            start_new_session=True,
        )

    async def run(self, program: str, *arguments: str, directory: Path) -> str:
        process = await self.launch(program, *arguments, directory=directory, output=PIPE)
        try:
            output, _ = await process.communicate()
        except BaseException:
            await _end(process)
            raise
        if process.returncode != 0:
            raise EmbeddedPostgresError(f"{program} failed: {output.decode(errors='replace')}")
        return output.decode()


def database_url(role: str, password: str, port: int, database: str) -> str:
    return f"postgresql://{role}:{quote(password, safe='')}@{HOST}:{port}/{database}"


def _path_for_server(directory: Path) -> str:
    """`directory` is also where the program is started.

    The server's user may not be able to walk a path that root gave it, such as one under `/root`,
    but it can enter the folder in which it already stands.
    """
    if os.geteuid() == 0 and sys.platform == "linux":
        return "/proc/self/cwd"
    return str(directory)


def _server_account(cluster: Path) -> tuple[int, int]:
    """The user and group to run as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    if cluster.exists() and cluster.stat().st_uid != 0:
        return cluster.stat().st_uid, cluster.stat().st_gid
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


async def _locale_arguments(launcher: _Launcher) -> list[str]:
    version = await launcher.run("postgres", "--version", directory=Path("/"))
    major_version = int(version.split()[2].split(".")[0])
    if major_version < FIRST_VERSION_WITH_BUILTIN_LOCALE:
        return ["--locale", "C.UTF-8"]
    return ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"]


def _try_lock(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_server_alive(cluster: Path) -> bool:
    try:
        os.kill(int((cluster / "postmaster.pid").read_text().split()[0]), 0)
    except PermissionError:
        return True
    except (OSError, ValueError, IndexError):
        return False
    return True


def _refuse_taken_port(port: int) -> None:
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise EmbeddedPostgresError(
            f"PostgreSQL cannot listen on {HOST}:{port} ({error.strerror}): "
            "stop the program that does, or choose another port."
        ) from error


def _write_secret(file: Path, secret: str) -> None:
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(secret)


async def _end(process: Process) -> None:
    for stop_signal, seconds in STOP_SIGNALS:
        if process.returncode is None:
            process.send_signal(stop_signal)
        try:
            await asyncio.wait_for(process.wait(), seconds)
            return
        except TimeoutError:
            continue
