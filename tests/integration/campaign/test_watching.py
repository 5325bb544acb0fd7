"""Whoever watches is told how each campaign stands, at first and after each change, by any process.

Watchers here look by themselves once an hour: what they are told of a change, they were woken for.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from asyncpg import Connection, Record

from services.campaign.app import build
from services.campaign.operations.watching import CAMPAIGNS_PER_LOOK
from tests.integration.campaign.conftest import HOUR_SECONDS
from tests.integration.campaign.steps import CampaignSteps, blockers_of
from tests.integration.campaign.watchers import Watcher, watched_settings, watching
from tests.support.databases import ServiceDatabase
from tests.support.services import running
from tests.support.waiting import eventually
from tollgate.campaign.v1 import campaign_pb2

CAMPAIGN_COUNT = 10_000
MAKE_MANY = """
INSERT INTO campaigns (
    campaign_id, organization_id, brand_id, name, state, create_time, update_time
)
SELECT 'c-' || number, 'org-1', 'brand-1', '', 'RUNNING', now(), now()
FROM generate_series(1, $1::int) AS number
"""


@pytest.fixture
async def channels(database: ServiceDatabase) -> AsyncIterator[list[grpc.aio.Channel]]:
    """Two processes of the service on one database."""
    async with AsyncExitStack() as stack:
        services = [await build(watched_settings(database)) for _ in range(2)]
        yield [await stack.enter_async_context(running(service)) for service in services]


@pytest.fixture
def steps(channels: list[grpc.aio.Channel]) -> CampaignSteps:
    """What can be done with the first of them."""
    return CampaignSteps(channels[0])


@pytest.fixture
async def watchers(channels: list[grpc.aio.Channel]) -> AsyncIterator[list[Watcher]]:
    """Two watchers at each process."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(watching(channel)) for channel in (*channels, *channels)
        ]


async def all_see(watchers: list[Watcher], **states: str) -> None:
    await asyncio.gather(*(watcher.sees(**states) for watcher in watchers))


async def test_how_all_stand_comes_first_and_then_each_change(
    steps: CampaignSteps, channels: list[grpc.aio.Channel]
) -> None:
    await steps.make_eligible()
    await steps.create("draft")
    await steps.create_running("spring", "over")
    await steps.complete("over")
    await steps.make_eligible("org-2")
    await steps.create_running("neighbour", organization_id="org-2")

    async with watching(channels[1]) as watcher:
        await watcher.sees(draft="DRAFT", spring="RUNNING", over="COMPLETED")
        assert watcher.told_count == 3
        assert all([watcher.told[each] == await steps.get(each) for each in watcher.told])

        await steps.pause(note="wrong text")
        await watcher.sees(draft="DRAFT", spring="PAUSED MANUAL_PAUSE", over="COMPLETED")
        assert watcher.told_count == 4
        assert watcher.told["spring"] == await steps.get()

        # What is over for ever is not told again.
        await steps.report_wallet(frozen=True)
        await watcher.is_told(6)
        assert blockers_of(watcher.told["spring"]) == ["MANUAL_PAUSE", "WALLET_FROZEN"]
        assert blockers_of(watcher.told["draft"]) == ["WALLET_FROZEN"]


async def test_each_change_reaches_every_watcher_at_every_process(
    steps: CampaignSteps, watchers: list[Watcher]
) -> None:
    await steps.make_eligible()
    await steps.create()
    await all_see(watchers, spring="DRAFT")
    await steps.start()
    await all_see(watchers, spring="RUNNING")
    await steps.pause()
    await all_see(watchers, spring="PAUSED MANUAL_PAUSE")
    await steps.resume()
    await all_see(watchers, spring="RUNNING")
    await steps.report_wallet(depleted=True)
    await all_see(watchers, spring="PAUSED WALLET_DEPLETED")
    await steps.report_subscription(good=False)
    await all_see(watchers, spring="PAUSED SUBSCRIPTION_INACTIVE")
    await steps.pause_organization()
    await all_see(watchers, spring="PAUSED ORGANIZATION_PAUSE")
    await steps.make_eligible()
    await steps.resume_organization()
    await all_see(watchers, spring="RUNNING")
    await steps.complete()
    await all_see(watchers, spring="COMPLETED")


async def test_the_emergency_stop_reaches_every_watcher_and_so_does_its_end(
    channels: list[grpc.aio.Channel], steps: CampaignSteps, watchers: list[Watcher]
) -> None:
    await steps.make_eligible()
    await steps.create_running("spring", "by-hand")
    await steps.pause("by-hand")
    async with watching(channels[1], "org-2") as neighbour:
        await steps.create("draft", "org-2")
        await steps.stop_all()
        by_hand = {"by-hand": "PAUSED MANUAL_PAUSE"}
        await all_see(watchers, spring="PAUSED EMERGENCY_STOP", **by_hand)
        await neighbour.sees(draft="DRAFT")
        await eventually(neighbour.blockers, lambda seen: "EMERGENCY_STOP" in seen["draft"])
        for watcher in watchers:
            assert watcher.told["spring"].note == "wrong prices"
            # What does not move is told after what does.
            await eventually(
                watcher.blockers,
                lambda seen: seen["by-hand"] == ["MANUAL_PAUSE", "EMERGENCY_STOP"],
            )

        await steps.resume_all()
        await all_see(watchers, spring="RUNNING", **by_hand)
        await eventually(neighbour.blockers, lambda seen: "EMERGENCY_STOP" not in seen["draft"])


async def test_the_emergency_stop_is_told_before_it_is_settled(
    steps: CampaignSteps, watchers: list[Watcher], connection: "Connection[Record]"
) -> None:
    await steps.make_eligible()
    await steps.create_running("spring")
    await all_see(watchers, spring="RUNNING")
    async with connection.transaction():
        await connection.execute("SELECT FROM organizations FOR UPDATE")
        stopping = asyncio.create_task(steps.stop_all())
        await all_see(watchers, spring="PAUSED EMERGENCY_STOP")
    await stopping


async def test_a_lapse_is_told_though_no_worker_has_seen_it(database: ServiceDatabase) -> None:
    settings = watched_settings(database, poll_interval_seconds=HOUR_SECONDS)
    async with running(await build(settings)) as channel, watching(channel) as watcher:
        steps = CampaignSteps(channel)
        await steps.make_eligible()
        await steps.create_running("spring")
        await watcher.sees(spring="RUNNING")
        lapse_time = datetime.now(UTC) + timedelta(seconds=0.7)
        await steps.report_subscription(good=True, until=lapse_time)

        await watcher.sees(spring="PAUSED SUBSCRIPTION_INACTIVE")

        assert watcher.told["spring"] == await steps.get()
        assert watcher.told["spring"].pause_time.ToDatetime(tzinfo=UTC) == lapse_time


async def test_a_lapse_reaches_watchers_of_every_process(
    steps: CampaignSteps, watchers: list[Watcher]
) -> None:
    await steps.make_eligible()
    await steps.create_running("spring")
    await all_see(watchers, spring="RUNNING")
    await steps.report_subscription(good=True, until=datetime.now(UTC) + timedelta(seconds=0.7))
    await all_see(watchers, spring="PAUSED SUBSCRIPTION_INACTIVE")
    await steps.report_subscription(good=True)
    await all_see(watchers, spring="RUNNING")


@pytest.mark.long
@pytest.mark.timeout(120)
async def test_ten_thousand_campaigns_are_told_and_paused_and_told(
    steps: CampaignSteps, channels: list[grpc.aio.Channel], connection: "Connection[Record]"
) -> None:
    await steps.make_eligible()
    await connection.execute(MAKE_MANY, CAMPAIGN_COUNT)
    await connection.execute("ANALYZE campaigns")
    async with watching(channels[1]) as watcher:
        await all_are(watcher, campaign_pb2.PAUSE_REASON_UNSPECIFIED)
        await steps.report_wallet(depleted=True)
        await all_are(watcher, campaign_pb2.PAUSE_REASON_WALLET_DEPLETED)
        assert watcher.told["c-1"] == await steps.get("c-1")


async def all_are(watcher: Watcher, reason: campaign_pb2.PauseReason.ValueType) -> None:
    """Wait until it has been told that all of the many are paused so, or for no reason run."""

    async def look() -> bool:
        told = watcher.told.values()
        return len(told) == CAMPAIGN_COUNT and all(each.pause_reason == reason for each in told)

    await eventually(look, bool, 45.0)


async def test_an_organization_that_nobody_knows_can_be_watched(
    steps: CampaignSteps, channels: list[grpc.aio.Channel]
) -> None:
    async with watching(channels[1], "org-new") as watcher:
        await steps.create("first", "org-new")
        await watcher.sees(first="DRAFT")


async def test_as_many_as_fill_several_looks_are_all_told(
    steps: CampaignSteps, channels: list[grpc.aio.Channel], connection: "Connection[Record]"
) -> None:
    await steps.make_eligible()
    await connection.execute(MAKE_MANY, 2 * CAMPAIGNS_PER_LOOK)
    async with watching(channels[0]) as watcher:
        await watcher.is_told(2 * CAMPAIGNS_PER_LOOK)
