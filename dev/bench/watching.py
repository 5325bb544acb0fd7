"""How soon watchers are told that a campaign is paused, whichever process paused it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle, islice

from dev.bench.campaigns import CALL_SECONDS_MAX, Campaigns, campaign_id_of
from dev.bench.reactions import told
from dev.bench.requests import organization_of
from dev.bench.rows import Figures
from libs.rpc.channel import open_channel
from tollgate.campaign.v1 import campaign_pb2, campaign_service_pb2
from tollgate.campaign.v1.campaign_service_pb2_grpc import CampaignServiceStub

WATCHED = 300_000
WATCHERS_OF_EACH_PROCESS = 5
STATES = (campaign_pb2.CAMPAIGN_STATE_PAUSED, campaign_pb2.CAMPAIGN_STATE_RUNNING)


class Watcher:
    """Hears how one campaign stands, and when that was told."""

    def __init__(self, stub: CampaignServiceStub, organization_id: str, campaign_id: str) -> None:
        request = campaign_service_pb2.WatchCampaignsRequest(organization_id=organization_id)
        self._stream = stub.WatchCampaigns(request)
        self._campaign_id = campaign_id

    async def hear(self, state: campaign_pb2.CampaignState.ValueType) -> float:
        """When it was told to stand so."""
        async with asyncio.timeout(CALL_SECONDS_MAX):
            while True:
                campaign = (await anext(aiter(self._stream))).campaign
                if campaign.campaign_id == self._campaign_id and campaign.state == state:
                    return time.time()

    def end(self) -> None:
        self._stream.cancel()


async def measure_watching(campaigns: Campaigns, count: int) -> Figures:
    """From the answer to a pause, or its end, to the last watcher of two processes."""
    await campaigns.add_organizations([WATCHED])
    campaign_id = campaign_id_of(organization_of(WATCHED), 0)
    waits: list[float] = []
    async with _watchers(campaigns, campaign_id) as watchers, open_channel(campaigns.address) as it:
        stub = CampaignServiceStub(it)
        for state in islice(cycle(STATES), count):
            hearing = [asyncio.ensure_future(each.hear(state)) for each in watchers]
            if state == campaign_pb2.CAMPAIGN_STATE_PAUSED:
                pause = campaign_service_pb2.PauseCampaignRequest(campaign_id=campaign_id)
                await stub.PauseCampaign(pause, timeout=CALL_SECONDS_MAX)
            else:
                resume = campaign_service_pb2.ResumeCampaignRequest(campaign_id=campaign_id)
                await stub.ResumeCampaign(resume, timeout=CALL_SECONDS_MAX)
            answered = time.time()
            waits.append(max(0.0, max(await asyncio.gather(*hearing)) - answered))
    return told("watched", waits)


@asynccontextmanager
async def _watchers(campaigns: Campaigns, campaign_id: str) -> AsyncIterator[list[Watcher]]:
    """Some at each process, that have been told how all stands."""
    async with AsyncExitStack() as exits:
        stubs = [
            CampaignServiceStub(await exits.enter_async_context(open_channel(address)))
            for address in (campaigns.address, campaigns.replica_address)
        ]
        watchers = [
            Watcher(stub, organization_of(WATCHED), campaign_id)
            for stub in stubs
            for _ in range(WATCHERS_OF_EACH_PROCESS)
        ]
        await asyncio.gather(*(each.hear(campaign_pb2.CAMPAIGN_STATE_RUNNING) for each in watchers))
        yield watchers
        for each in watchers:
            each.end()
