"""Watches campaigns as a sender does, and keeps the last that it was told of each."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from services.campaign.config import CampaignSettings
from tests.integration.campaign.conftest import HOUR_SECONDS, campaign_settings
from tests.integration.campaign.steps import blockers_of, state_of
from tests.support.databases import ServiceDatabase
from tests.support.errors import Refusal, read_refusal
from tests.support.level_steps import ORGANIZATION
from tests.support.waiting import eventually, tick
from tollgate.campaign.v1 import campaign_pb2, campaign_service_pb2
from tollgate.campaign.v1.campaign_service_pb2_grpc import CampaignServiceStub


def watched_settings(database: ServiceDatabase, **settings: float) -> CampaignSettings:
    """Return settings of a service whose watchers do not look unless they are woken."""
    own = {"watch_poll_seconds": HOUR_SECONDS, **settings}
    return campaign_settings(database).model_copy(update=own)


@dataclass
class Watcher:
    """One stream, and what came of it."""

    told: dict[str, campaign_pb2.Campaign] = field(default_factory=dict)
    told_count: int = 0
    refusal: Refusal | None = None

    async def watch(self, channel: grpc.aio.Channel, organization_id: str = ORGANIZATION) -> None:
        """Read until the stream ends, and keep why it did."""
        request = campaign_service_pb2.WatchCampaignsRequest(organization_id=organization_id)
        try:
            async for response in CampaignServiceStub(channel).WatchCampaigns(request):
                self.told[response.campaign.campaign_id] = response.campaign
                self.told_count += 1
        except grpc.aio.AioRpcError as error:
            self.refusal = read_refusal(error)

    async def keep_watching(
        self, channel: grpc.aio.Channel, organization_id: str = ORGANIZATION
    ) -> None:
        """Watch again whenever the stream ends, and believe nothing of what was told before."""
        while True:
            await channel.channel_ready()
            self.told.clear()
            await self.watch(channel, organization_id)
            await tick()

    async def states(self) -> dict[str, str]:
        return {campaign_id: state_of(told) for campaign_id, told in self.told.items()}

    async def blockers(self) -> dict[str, list[str]]:
        return {campaign_id: blockers_of(told) for campaign_id, told in self.told.items()}

    async def update_times(self) -> dict[str, Timestamp]:
        return {campaign_id: told.update_time for campaign_id, told in self.told.items()}

    async def sees(self, **states: str) -> None:
        """Wait until it has been told of exactly these campaigns, last in these states."""
        await eventually(self.states, lambda seen: seen == states)

    async def is_told(self, count: int) -> None:
        """Wait until it has been told so often, and no more often."""
        await self.is_told_at_least(count)
        assert self.told_count == count

    async def is_told_at_least(self, count: int) -> None:
        async def look() -> int:
            return self.told_count

        await eventually(look, lambda told: told >= count)

    async def ends(self) -> Refusal:
        """Wait until the stream ends; return why."""

        async def look() -> Refusal | None:
            return self.refusal

        refusal = await eventually(look, bool)
        assert refusal is not None
        return refusal


@asynccontextmanager
async def watching(
    channel: grpc.aio.Channel, organization_id: str = ORGANIZATION, *, again: bool = False
) -> AsyncIterator[Watcher]:
    """Watch until the end of the block, again and again if so asked, then hang up."""
    watcher = Watcher()
    watch = watcher.keep_watching if again else watcher.watch
    reading = asyncio.create_task(watch(channel, organization_id))
    try:
        yield watcher
    finally:
        reading.cancel()
        await asyncio.wait([reading])
