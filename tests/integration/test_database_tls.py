"""A database that is to prove itself is believed if it does, and told nothing if it does not."""

import asyncio
import ssl
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from dev.postgres import EmbeddedPostgres
from libs.database import Connection, Database, DatabaseUnavailableError
from libs.database_urls import require_database_url
from libs.listening import Listener
from libs.migrations import migrate
from tests.conftest import MakeDatabase
from tests.support.authorities import KEY_PASSWORD, Authority, CertificateFiles
from tests.support.database_door import DatabaseDoor
from tests.support.databases import REPOSITORY, ServiceDatabase
from tests.support.waiting import eventually

pytestmark = pytest.mark.database

HOST = "localhost"
LIMIT_SECONDS = 15.0
YEARS = timedelta(days=1000)
MIGRATIONS = REPOSITORY / "services" / "campaign" / "migrations"

OpenDoor = Callable[[ssl.SSLContext | None], Awaitable[DatabaseDoor]]
Trouble = Callable[[Authority, Path], ssl.SSLContext | None]
Way = Callable[[str], Awaitable[str]]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The one that is believed."""
    return Authority(tmp_path_factory.mktemp("believed"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> CertificateFiles:
    """What a server proves its name with."""
    return authority.vouch_for(HOST)


@pytest.fixture
async def database(make_database: MakeDatabase) -> ServiceDatabase:
    """One that anybody may speak to in clear: the embedded server has no TLS."""
    return await make_database("campaign")


@pytest.fixture
async def open_door(postgres: EmbeddedPostgres) -> AsyncIterator[OpenDoor]:
    """Ways to the server, with TLS or without."""
    url = urlsplit(postgres.superuser_url())
    async with AsyncExitStack() as stack:

        async def open_door(tls: ssl.SSLContext | None) -> DatabaseDoor:
            door = DatabaseDoor(str(url.hostname), int(str(url.port)), tls)
            await door.open()
            stack.push_async_callback(door.shut)
            return door

        yield open_door


def proving(files: CertificateFiles, clients: Authority | None = None) -> ssl.SSLContext:
    """Return what a server proves itself with, and whose clients may come; None: anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key, KEY_PASSWORD)
    if clients is not None:
        context.load_verify_locations(clients.file)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def url_through(database: ServiceDatabase, door: DatabaseDoor, **parameters: object) -> str:
    """Return where the database is for whoever goes through a door."""
    parts = urlsplit(database.superuser_url)
    user = parts.netloc.rpartition("@")[0]
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    url = parts._replace(netloc=f"{user}@{HOST}:{door.port}", query=query).geturl()
    return require_database_url(SecretStr(url)).get_secret_value()


def password_of(database: ServiceDatabase) -> str:
    return str(urlsplit(database.superuser_url).password)


async def ask(url: str) -> str:
    """Ask as a service does; return what is said if it is in vain."""
    database = await Database.connect(SecretStr(url), 1, "test")
    with capture_logs() as logs:
        try:
            await database.run(select_one)
        except DatabaseUnavailableError as error:
            return f"{logs} {''.join(traceback.format_exception(error))}"
        finally:
            await database.close()
    return ""


async def select_one(connection: Connection) -> None:
    await connection.execute("SELECT 1")


async def listen(url: str) -> str:
    """Listen as a service does; return what is said if it hears nothing."""
    listener, stop = Listener(SecretStr(url), "news"), asyncio.Event()

    async def is_heard_or_deaf() -> bool:
        return woken.is_set() or bool(logs)

    with capture_logs() as logs, listener.waiting_for("org-1") as woken:
        task = asyncio.create_task(listener.run(stop))
        await eventually(is_heard_or_deaf, bool)
        stop.set()
        await asyncio.wait_for(task, LIMIT_SECONDS)
    assert woken.is_set() != bool(logs)
    return str(logs or "")


async def bring_up_to_date(url: str) -> str:
    """Migrate as a deployment does; return what is said if it cannot."""
    with capture_logs() as logs:
        try:
            await migrate(url, MIGRATIONS)
        except (OSError, asyncpg.PostgresConnectionError) as error:
            return f"{logs} {''.join(traceback.format_exception(error))}"
    return ""


WAYS = pytest.mark.parametrize("way", [ask, listen, bring_up_to_date])


def with_a_certificate_of_another_authority(_: Authority, folder: Path) -> ssl.SSLContext:
    return proving(Authority(folder).vouch_for(HOST))


def with_another_name(believed: Authority, _: Path) -> ssl.SSLContext:
    return proving(believed.vouch_for("db.example"))


def with_an_expired_certificate(believed: Authority, _: Path) -> ssl.SSLContext:
    return proving(believed.vouch_for(HOST, age=YEARS))


def without_tls(_: Authority, __: Path) -> None:
    """The embedded server itself, which says N to whoever asks for TLS."""


TROUBLES = [
    with_a_certificate_of_another_authority,
    with_another_name,
    with_an_expired_certificate,
    without_tls,
]


@WAYS
async def test_a_server_that_proves_itself_is_spoken_to(
    database: ServiceDatabase,
    open_door: OpenDoor,
    authority: Authority,
    server: CertificateFiles,
    way: Way,
) -> None:
    door = await open_door(proving(server))
    believing = {"sslmode": "verify-full", "sslrootcert": authority.file}
    assert not await way(url_through(database, door, **believing))
    # What is not encrypted does not get through here.
    assert await way(url_through(database, door, sslmode="disable"))


@pytest.fixture(params=TROUBLES)
async def wrong_door(
    request: pytest.FixtureRequest, open_door: OpenDoor, authority: Authority, tmp_path: Path
) -> DatabaseDoor:
    """A server that should not be believed."""
    trouble: Trouble = request.param
    return await open_door(trouble(authority, tmp_path))


@WAYS
async def test_a_server_that_does_not_is_told_nothing(
    database: ServiceDatabase, wrong_door: DatabaseDoor, authority: Authority, way: Way
) -> None:
    believing = {"sslmode": "verify-full", "sslrootcert": authority.file}
    said = await way(url_through(database, wrong_door, **believing))
    assert said
    assert password_of(database) not in said


async def test_whoever_requires_tls_of_anybody_gets_it_or_nothing(
    database: ServiceDatabase, open_door: OpenDoor, server: CertificateFiles
) -> None:
    encrypted, clear = await open_door(proving(server)), await open_door(None)
    assert not await ask(url_through(database, encrypted, sslmode="require"))
    assert await ask(url_through(database, clear, sslmode="require"))
    assert not await ask(url_through(database, clear))


async def test_who_asks_may_have_to_prove_it_too(
    database: ServiceDatabase,
    open_door: OpenDoor,
    authority: Authority,
    server: CertificateFiles,
) -> None:
    own = authority.vouch_for("wallet")
    door = await open_door(proving(server, clients=authority))
    believing = {"sslmode": "verify-full", "sslrootcert": authority.file}
    proof = {"sslcert": own.certificate, "sslkey": own.key, "sslpassword": KEY_PASSWORD}
    assert not await ask(url_through(database, door, **believing, **proof))
    said = await ask(url_through(database, door, **believing))
    assert said
    assert password_of(database) not in said
