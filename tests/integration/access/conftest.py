"""Services that let in only whoever proves who they are."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from dev.simulators.twilio.simulator import TwilioSimulator
from dev.stack.certificates import make_all_certificates
from tests.support.databases import ServiceDatabases
from tests.support.doors import Door
from tests.support.stack import CONSOLE, SERVICES, TWILIO_SID, TWILIO_TOKEN, Stack


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """An authority, and a certificate for everybody."""
    make_all_certificates(tmp_path, (*SERVICES, CONSOLE))
    return tmp_path


@pytest.fixture
async def proven_stack(stopped_stack: Stack, certificates: Path) -> Stack:
    """Services, none of them started."""
    stopped_stack.certificates = certificates
    return stopped_stack


@pytest.fixture
async def wallet(proven_stack: Stack, certificates: Path) -> Door:
    """A wallet that runs."""
    await proven_stack.start("wallet")
    return Door(proven_stack.addresses["wallet"], certificates)


@pytest.fixture(scope="module")
async def doors(
    databases: ServiceDatabases, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Door]]:
    """All services, which run for all tests of a module: none of these may end or change them."""
    certificates = tmp_path_factory.mktemp("certificates")
    make_all_certificates(certificates, (*SERVICES, CONSOLE))
    taken = {name: await databases.take(name) for name in SERVICES}
    twilio = TwilioSimulator(TWILIO_SID, TWILIO_TOKEN)
    await twilio.start()
    async with aiohttp.ClientSession() as http:
        stack = Stack(taken, twilio, http, certificates=certificates)
        await stack.start()
        yield {name: Door(stack.addresses[name], certificates) for name in SERVICES}
        await stack.close()
    await twilio.stop()
    for name, database in taken.items():
        await databases.give_back(name, database)
