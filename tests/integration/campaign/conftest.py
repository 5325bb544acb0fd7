"""A campaign service of its own for each test."""

from collections.abc import AsyncIterator

import asyncpg
import grpc
import pytest
from pydantic import SecretStr

from services.campaign.app import build
from services.campaign.config import CampaignSettings
from tests.conftest import MakeDatabase
from tests.integration.campaign.steps import CampaignSteps
from tests.support.databases import ServiceDatabase
from tests.support.services import ANY_PORT, running

HOUR_SECONDS = 3600.0


def campaign_settings(
    database: ServiceDatabase, poll_interval_seconds: float = 0.2
) -> CampaignSettings:
    """Return settings for a campaign service on any free port."""
    return CampaignSettings(
        database_url=SecretStr(database.url),
        listen_address=ANY_PORT,
        plaintext=True,
        metrics_address=ANY_PORT,
        poll_interval_seconds=poll_interval_seconds,
    )


@pytest.fixture
async def database(make_database: MakeDatabase) -> ServiceDatabase:
    """The campaigns' database."""
    return await make_database("campaign")


@pytest.fixture
async def channel(database: ServiceDatabase) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a running campaign service."""
    async with running(await build(campaign_settings(database))) as channel:
        yield channel


@pytest.fixture
def steps(channel: grpc.aio.Channel) -> CampaignSteps:
    """What can be done with the service."""
    return CampaignSteps(channel)


@pytest.fixture
async def steps_without_workers(database: ServiceDatabase) -> AsyncIterator[CampaignSteps]:
    """What can be done with a service whose workers look once an hour, so as good as never."""
    settings = campaign_settings(database, poll_interval_seconds=HOUR_SECONDS)
    async with running(await build(settings)) as channel:
        yield CampaignSteps(channel)


@pytest.fixture
async def connection(
    database: ServiceDatabase,
) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A look behind the service's back."""
    connection = await asyncpg.connect(database.superuser_url)
    yield connection
    await connection.close()
