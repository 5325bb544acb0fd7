"""Whatever happens, when it is quiet each watcher has last been told what a read answers.

Commands come from several clients at two processes, while watchers come and go and processes lose
the connections on which they listen. Watchers look by themselves once an hour, two campaigns at a
time.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from asyncpg import Connection, Record

from services.campaign.app import build
from services.campaign.operations import watching as watching_operations
from tests.integration.campaign.steps import CampaignSteps
from tests.integration.campaign.watchers import Watcher, watched_settings, watching
from tests.support.databases import ServiceDatabase
from tests.support.searching import FEW_EXAMPLES
from tests.support.services import running
from tests.support.waiting import eventually
from tollgate.campaign.v1 import campaign_pb2, campaign_service_pb2

ORGANIZATIONS = ("org-1", "org-2")
CAMPAIGNS_PER_ORGANIZATION = 5
QUIET_MOMENTS = 10
CLIENTS = 3
ACTS_PER_CLIENT = 4
WATCHERS_MAX = 6
END_LISTENING = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'listen_campaigns'
"""
# What the state of a campaign, or its absence, may refuse.
REFUSED = (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND)

Act = Callable[[], Awaitable[object]]


@dataclass
class Clients:
    """Do anything to two organizations, at either process."""

    chance: random.Random
    processes: list[CampaignSteps]
    connection: "Connection[Record]"
    is_free: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def end_listening(self) -> None:
        # One statement at a time: the connection is everybody's.
        async with self.is_free:
            await self.connection.execute(END_LISTENING)

    async def act_at_once(self) -> None:
        await asyncio.gather(*(self.act_in_turn() for _ in range(CLIENTS)))

    async def act_in_turn(self) -> None:
        for _ in range(ACTS_PER_CLIENT):
            try:
                await self.choose()()
            except grpc.aio.AioRpcError as error:
                if error.code() not in REFUSED:
                    raise

    def choose(self) -> Act:
        steps, chance = self.chance.choice(self.processes), self.chance
        # By one process, for it numbers them.
        levels = self.processes[0]
        organization_id = chance.choice(ORGANIZATIONS)
        campaign_id = f"{organization_id}-{chance.randrange(CAMPAIGNS_PER_ORGANIZATION)}"
        soon = datetime.now(UTC) + timedelta(seconds=chance.uniform(0, 0.3))
        frozen, depleted = chance.random() < 0.3, chance.random() < 0.3
        acts: list[tuple[int, Act]] = [
            (4, lambda: steps.create(campaign_id, organization_id)),
            (4, lambda: steps.start(campaign_id)),
            (2, lambda: steps.pause(campaign_id, note=f"note {chance.random()}")),
            (2, lambda: steps.resume(campaign_id)),
            (1, lambda: steps.complete(campaign_id)),
            (2, lambda: steps.pause_organization(organization_id)),
            (2, lambda: steps.resume_organization(organization_id)),
            (4, lambda: levels.make_eligible(organization_id)),
            (1, lambda: levels.report_subscription(good=False, organization_id=organization_id)),
            (
                2,
                lambda: levels.report_subscription(
                    good=True, until=soon, organization_id=organization_id
                ),
            ),
            (
                3,
                lambda: levels.report_wallet(
                    frozen=frozen, depleted=depleted, organization_id=organization_id
                ),
            ),
            (1, lambda: steps.stop_all(note=f"note {chance.random()}")),
            (2, steps.resume_all),
            (1, self.end_listening),
        ]
        [act] = chance.choices([act for _, act in acts], [weight for weight, _ in acts])
        return act

    async def read(self, organization_id: str) -> dict[str, campaign_pb2.Campaign]:
        """Return what GetCampaign answers for each of an organization's campaigns."""
        steps = self.chance.choice(self.processes)
        request = campaign_service_pb2.ListCampaignsRequest(organization_id=organization_id)
        return {each: await steps.get(each) for each in await steps.list_ids(request)}


@dataclass
class Audience:
    """Those who watch at the moment, and whom."""

    stack: AsyncExitStack
    watchers: list[tuple[str, Watcher, AsyncExitStack]]

    async def come_or_go(self, chance: random.Random, channels: list[grpc.aio.Channel]) -> None:
        if len(self.watchers) == WATCHERS_MAX or (self.watchers and chance.random() < 0.3):
            _, _, leaving = self.watchers.pop(chance.randrange(len(self.watchers)))
            await leaving.aclose()
            return
        organization_id = chance.choice(ORGANIZATIONS)
        own = await self.stack.enter_async_context(AsyncExitStack())
        watcher = await own.enter_async_context(watching(chance.choice(channels), organization_id))
        self.watchers.append((organization_id, watcher, own))


async def has_been_told(clients: Clients, organization_id: str, watcher: Watcher) -> None:
    async def look() -> tuple[object, object]:
        assert watcher.refusal is None
        return await clients.read(organization_id), dict(watcher.told)

    await eventually(look, lambda seen: seen[0] == seen[1])


@pytest.mark.parametrize("seed", range(max(2, FEW_EXAMPLES // 10)))
async def test_when_it_is_quiet_each_watcher_has_been_told_what_a_read_answers(
    seed: int,
    database: ServiceDatabase,
    connection: "Connection[Record]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching_operations, "CAMPAIGNS_PER_LOOK", 2)
    chance = random.Random(seed)
    async with AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(running(await build(watched_settings(database))))
            for _ in range(2)
        ]
        audience = Audience(stack, [])
        clients = Clients(chance, [CampaignSteps(channel) for channel in channels], connection)
        for _ in range(QUIET_MOMENTS):
            acting = asyncio.create_task(clients.act_at_once())
            for _ in range(2):
                await audience.come_or_go(chance, channels)
            await acting
            for organization_id, watcher, _ in audience.watchers:
                await has_been_told(clients, organization_id, watcher)
