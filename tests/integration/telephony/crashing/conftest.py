"""A telephony service that can be killed at any step."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from dev.simulators.twilio import TwilioSimulator
from tests.support.crashing.nursery import Nursery, open_nursery
from tests.support.crashing.telephony import TelephonyProcess, settings_for
from tests.support.crashing.wires import Wires
from tests.support.databases import ServiceDatabase


@pytest.fixture(scope="module")
async def nursery() -> AsyncIterator[Nursery]:
    """Return where all services come from."""
    async with open_nursery() as nursery:
        yield nursery


@pytest.fixture
def service_settings() -> dict[str, str]:
    """Settings of the service beside those that each has."""
    return {}


@pytest.fixture
async def service(
    database: ServiceDatabase,
    twilio: TwilioSimulator,
    nursery: Nursery,
    service_settings: dict[str, str],
    tmp_path: Path,
) -> AsyncIterator[TelephonyProcess]:
    """A service to be started."""
    wires = Wires()
    settings = await settings_for(database, twilio, wires, **service_settings)
    connection = await asyncpg.connect(database.superuser_url)
    log_file = tmp_path / "telephony.log"
    yield TelephonyProcess("telephony", nursery, wires, connection, settings, log_file)
    await wires.close()
    await connection.close()
    print(log_file.read_text())  # noqa: T201 - shown with a failure
