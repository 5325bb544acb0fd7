"""One running Tollgate for all tests of a module, with everybody it depends on."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
import structlog

from dev.postgres import EmbeddedPostgres
from dev.simulators.paypal.certificates import make_chain
from dev.simulators.twilio.simulator import TwilioSimulator
from dev.stack.certificates import make_all_certificates
from libs.logs import configure_logs
from services.billing_gateway.paypal.environment import ADDRESSES, Environment
from tests.support.database_door import DatabaseDoor
from tests.support.databases import ServiceDatabase, ServiceDatabases
from tests.support.runbook.document import read_sections
from tests.support.runbook.site import Site, operator_options
from tests.support.stack import CONSOLE, SERVICES, TWILIO_SID, TWILIO_TOKEN, Stack
from tests.support.two_providers import TwoProviders

# Long enough for two cores that have much to do.
ANSWER_SECONDS_MAX = 2.0


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where everything that is logged stands, as in earnest."""
    directory = tmp_path_factory.mktemp("logs")
    with (directory / "tollgate.log").open("w", buffering=1) as file:
        with contextlib.redirect_stdout(file):
            configure_logs("tollgate", "INFO")
        yield directory
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def behind_doors() -> tuple[str, ...]:
    """Whose database can be away; the way through a door takes its time."""
    return ("campaign",)


@pytest.fixture(scope="module")
async def database_doors(
    postgres: EmbeddedPostgres, behind_doors: tuple[str, ...]
) -> AsyncIterator[dict[str, DatabaseDoor]]:
    """The way of such a service to its database."""
    doors = {name: DatabaseDoor("127.0.0.1", _port(postgres)) for name in behind_doors}
    for door in doors.values():
        await door.open()
    yield doors
    for door in doors.values():
        await door.shut()


@pytest.fixture(scope="module")
async def site(
    postgres: EmbeddedPostgres,
    databases: ServiceDatabases,
    database_doors: dict[str, DatabaseDoor],
    tmp_path_factory: pytest.TempPathFactory,
    logs: Path,
) -> AsyncIterator[Site]:
    """All services, which run and can be broken; each test mends what it breaks."""
    certificates = tmp_path_factory.mktemp("certificates")
    make_all_certificates(certificates, (*SERVICES, CONSOLE))
    taken = {name: await databases.take(name) for name in SERVICES}
    twilio = TwilioSimulator(TWILIO_SID, TWILIO_TOKEN)
    await twilio.start()
    chain = make_chain(ADDRESSES[Environment.SANDBOX].certificate_name, datetime.now(UTC))
    async with aiohttp.ClientSession() as http:
        through = {
            name: _through(database, _port(postgres), door.port)
            if (door := database_doors.get(name))
            else database
            for name, database in taken.items()
        }
        stack = Stack(through, twilio, http, certificates=certificates)
        stack.settings = {
            CONSOLE: {
                "grpcurl_options": operator_options(certificates),
                "answer_seconds_max": ANSWER_SECONDS_MAX,
            },
            "wallet": {"check_interval_seconds": 1.0},
            "telephony": {"twilio_back_off_max_seconds": 0.5, "twilio_timeout_seconds": 1.0},
        }
        providers = TwoProviders(stack, chain)
        await providers.start()
        await stack.start(*SERVICES, CONSOLE)
        preamble, *_ = (block.script for section in read_sections() for block in section.blocks)
        site = Site(stack, providers, database_doors, certificates, logs, preamble)
        yield site
        await site.close()
        await stack.close()
        await providers.stop()
    await twilio.stop()
    for name, database in taken.items():
        await databases.give_back(name, database)


def _through(database: ServiceDatabase, port: int, door_port: int) -> ServiceDatabase:
    return replace(database, url=database.url.replace(f":{port}/", f":{door_port}/"))


def _port(postgres: EmbeddedPostgres) -> int:
    port = urlsplit(postgres.superuser_url()).port
    assert port is not None
    return port
