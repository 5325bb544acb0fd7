"""Fixtures that every test may use: real PostgreSQL, real services, real channels."""

import gc
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import hypothesis
import pytest

from dev.postgres import EmbeddedPostgres
from dev.simulators.twilio.simulator import TwilioSimulator
from tests.support.databases import FAST_SETTINGS, ServiceDatabase, ServiceDatabases
from tests.support.searching import EXAMPLES, SEARCH_TIMES
from tests.support.services import free_address
from tests.support.stack import SERVICES, TWILIO_SID, TWILIO_TOKEN, Stack
from tests.support.stubs import install_stubs

SETTINGS_PREFIXES = (
    "WALLET_",
    "CAMPAIGN_",
    "TELEPHONY_",
    "BILLING_GATEWAY_",
    "PAYPAL_",
    "STRIPE_",
    "TWILIO_",
)


def pytest_configure(config: pytest.Config) -> None:
    """Tests give every setting themselves: what the shell has set must not reach them.

    A busy machine is no defect: examples have no deadline of their own, tests have, unless a long
    search was asked for.
    """
    slow = [hypothesis.HealthCheck.too_slow]
    hypothesis.settings.register_profile(
        "tollgate", max_examples=EXAMPLES, deadline=None, suppress_health_check=slow
    )
    hypothesis.settings.load_profile("tollgate")
    if SEARCH_TIMES > 1:
        config.option.timeout = 0
    for name in list(os.environ):
        if name.startswith(SETTINGS_PREFIXES):
            del os.environ[name]


def pytest_collection() -> None:
    """Modules and tests are kept to the end: to look for garbage among them is in vain."""
    gc.disable()


def pytest_collection_finish() -> None:
    """What is there now is looked through no more."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedPostgres]:
    """One PostgreSQL for the whole run."""
    directory: Path = tmp_path_factory.mktemp("postgres")
    port = int(free_address().rpartition(":")[2])
    async with EmbeddedPostgres(directory, port, {**FAST_SETTINGS, "max_connections": "200"}) as it:
        yield it


@pytest.fixture(scope="session")
async def databases(postgres: EmbeddedPostgres) -> AsyncIterator[ServiceDatabases]:
    """Migrated templates of every service's database."""
    async with ServiceDatabases.prepared(postgres) as databases:
        yield databases


MakeDatabase = Callable[[str], Awaitable[ServiceDatabase]]


@pytest.fixture
async def make_database(databases: ServiceDatabases) -> AsyncIterator[MakeDatabase]:
    """Databases for one test, of any service."""
    made: list[tuple[str, ServiceDatabase]] = []

    async def make(service: str) -> ServiceDatabase:
        made.append((service, await databases.take(service)))
        return made[-1][1]

    yield make
    for service, database in made:
        await databases.give_back(service, database)


@pytest.fixture
async def twilio() -> AsyncIterator[TwilioSimulator]:
    """Twilio, as far as it is simulated."""
    simulator = TwilioSimulator(TWILIO_SID, TWILIO_TOKEN)
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
def stack_services() -> tuple[str, ...]:
    """Name the services that a test's stack has; fewer are quicker."""
    return SERVICES


@pytest.fixture
async def stopped_stack(
    make_database: MakeDatabase, twilio: TwilioSimulator, stack_services: tuple[str, ...]
) -> AsyncIterator[Stack]:
    """Services with databases of their own, none of them started."""
    databases = {name: await make_database(name) for name in stack_services}
    async with aiohttp.ClientSession() as http:
        stack = Stack(databases, twilio, http)
        yield stack
        await stack.close()


@pytest.fixture(scope="session")
def stubs_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has the stubs for clients, and nothing else of ours."""
    return install_stubs(tmp_path_factory.mktemp("stubs"))
