"""Watchers who are slow, gone or too many, and services and databases that go away under them."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from asyncpg import Connection, Record

from dev.postgres import EmbeddedPostgres
from libs import service as running_service
from libs.rpc.channel import open_channel
from services.campaign.app import build
from tests.integration.campaign.conftest import HOUR_SECONDS, campaign_settings
from tests.integration.campaign.steps import CampaignSteps, state_of
from tests.integration.campaign.watchers import watched_settings, watching
from tests.support.database_door import DatabaseDoor
from tests.support.databases import FAST_SETTINGS, ServiceDatabase, ServiceDatabases
from tests.support.level_steps import ORGANIZATION
from tests.support.processes import ServiceProcess
from tests.support.services import free_address, running
from tests.support.waiting import eventually
from tollgate.campaign.v1 import campaign_service_pb2

CAMPAIGN_COUNT = 200
ROUNDS = 60
NAME_BYTES = 4_000
# Kept for each change, what happens while nobody reads would take many times this.
GROWTH_BYTES_MAX = 20 * 1024 * 1024
PAGE_BYTES = 4096

MAKE_LARGE = """
INSERT INTO campaigns (
    campaign_id, organization_id, brand_id, name, state, create_time, update_time
)
SELECT 'c-' || number, 'org-1', 'brand-1', repeat('x', $2), 'RUNNING', now(), now()
FROM generate_series(1, $1::int) AS number
"""
TOUCH_ALL = """
WITH touched AS (
    UPDATE campaigns SET revision = nextval('campaign_revisions'), update_time = clock_timestamp()
    RETURNING organization_id
)
SELECT pg_notify('campaigns', organization_id) FROM (SELECT DISTINCT * FROM touched) AS touched
"""
CHANGE_UNHEARD = """
UPDATE campaigns
SET state = 'COMPLETED', revision = nextval('campaign_revisions') WHERE campaign_id = 'spring'
"""


async def test_beyond_the_limit_watchers_are_refused_until_one_has_gone(
    database: ServiceDatabase,
) -> None:
    async with running(await build(watched_settings(database, watchers_max=1))) as channel:
        await CampaignSteps(channel).create()
        async with watching(channel) as watcher:
            await watcher.sees(spring="DRAFT")
            async with watching(channel) as another:
                refusal = await another.ends()
            assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert refusal.reason == "OVERLOADED"
            assert refusal.retry_seconds is not None
        # Who hangs up makes room.
        async with watching(channel, again=True) as next_one:
            await next_one.sees(spring="DRAFT")


async def test_who_is_cut_off_without_a_word_makes_room(
    database: ServiceDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = {"grpc.keepalive_time_ms": 300, "grpc.http2.ping_timeout_ms": 300}
    options = {**dict(running_service.SERVER_OPTIONS), **soon}
    monkeypatch.setattr(running_service, "SERVER_OPTIONS", tuple(options.items()))
    service = await build(watched_settings(database, watchers_max=1))
    async with running(service) as channel:
        await CampaignSteps(channel).create()
        door = DatabaseDoor("127.0.0.1", service.port)
        await door.open()
        async with open_channel(f"127.0.0.1:{door.port}") as far, watching(far) as watcher:
            await watcher.sees(spring="DRAFT")
            await door.hang()
            async with watching(channel, again=True) as next_one:
                await next_one.sees(spring="DRAFT")
        await door.shut()


async def test_a_service_that_stops_ends_its_streams_at_once(database: ServiceDatabase) -> None:
    settings = watched_settings(database, stop_grace_seconds=HOUR_SECONDS)
    service = await build(settings)
    await service.start()
    async with open_channel(f"127.0.0.1:{service.port}") as channel:
        await CampaignSteps(channel).create()
        async with watching(channel) as watcher, watching(channel, "org-2") as of_nothing:
            await watcher.sees(spring="DRAFT")
            await asyncio.wait_for(service.stop(), timeout=15)
            for each in (watcher, of_nothing):
                refusal = await each.ends()
                assert refusal.code is grpc.StatusCode.UNAVAILABLE
                assert refusal.reason == "SERVICE_UNAVAILABLE"


async def test_what_nobody_was_told_of_is_found_all_the_same(
    database: ServiceDatabase, connection: "Connection[Record]"
) -> None:
    async with running(await build(watched_settings(database, watch_poll_seconds=0.05))) as channel:
        await CampaignSteps(channel).create()
        async with watching(channel) as watcher:
            await watcher.sees(spring="DRAFT")
            await connection.execute(CHANGE_UNHEARD)
            await watcher.sees(spring="COMPLETED")


@pytest.mark.timeout(120)
async def test_who_watches_again_after_a_kill_is_told_how_all_stand_now(
    database: ServiceDatabase,
) -> None:
    address = free_address()
    process = ServiceProcess("campaign", address, {"CAMPAIGN_DATABASE_URL": database.url})
    async with (
        running(await build(campaign_settings(database))) as other,
        open_channel(address) as channel,
        watching(channel, again=True) as watcher,
    ):
        steps = CampaignSteps(other)
        await steps.make_eligible()
        await steps.create_running("spring", "autumn")
        async with process.running():
            await watcher.sees(spring="RUNNING", autumn="RUNNING")
        await steps.pause()
        async with process.running():
            await watcher.sees(spring="PAUSED MANUAL_PAUSE", autumn="RUNNING")
            await steps.report_wallet(frozen=True)
            await watcher.sees(spring="PAUSED MANUAL_PAUSE", autumn="PAUSED WALLET_FROZEN")


@pytest.mark.timeout(120)
async def test_what_has_changed_and_changed_back_while_a_process_stood_still_is_told(
    database: ServiceDatabase,
) -> None:
    """It looks as it did but for its times: only its revision tells that it was paused."""
    address = free_address()
    process = ServiceProcess("campaign", address, {"CAMPAIGN_DATABASE_URL": database.url})
    async with (
        running(await build(campaign_settings(database))) as other,
        process.running() as process_id,
        open_channel(address) as channel,
        watching(channel) as watcher,
    ):
        steps = CampaignSteps(other)
        await steps.make_eligible()
        await steps.create_running("spring")
        await watcher.sees(spring="RUNNING")

        os.kill(process_id, signal.SIGSTOP)
        await steps.report_wallet(frozen=True)
        await steps.report_wallet()
        os.kill(process_id, signal.SIGCONT)

        stands = await steps.get()
        await eventually(watcher.update_times, lambda seen: seen["spring"] == stands.update_time)
        assert watcher.told["spring"] == stands


@pytest.fixture
async def own_postgres(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A PostgreSQL that this test may stop."""
    port = int(free_address().rpartition(":")[2])
    async with EmbeddedPostgres(tmp_path, port, FAST_SETTINGS) as postgres:
        yield postgres


async def test_a_database_that_restarts_ends_streams_and_the_next_go_on(
    own_postgres: EmbeddedPostgres,
) -> None:
    async with ServiceDatabases.prepared(own_postgres) as own:
        database = await own.clone("campaign")
    async with running(await build(watched_settings(database))) as channel:
        steps = CampaignSteps(channel)
        await steps.make_eligible()
        await steps.create_running("spring")
        async with watching(channel) as watcher:
            await watcher.sees(spring="RUNNING")
            await own_postgres.stop()
            # Who sends by what it was told must know that nothing is known any more.
            refusal = await watcher.ends()
            assert refusal.code is grpc.StatusCode.UNAVAILABLE
            assert refusal.reason == "DATABASE_UNAVAILABLE"

        async with watching(channel, again=True) as watcher:
            await own_postgres.start()
            await watcher.sees(spring="RUNNING")
            await eventually(lambda: pause_if_possible(steps), bool)
            await watcher.sees(spring="PAUSED MANUAL_PAUSE")


async def pause_if_possible(steps: CampaignSteps) -> bool:
    try:
        await steps.pause()
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        return False
    return True


def resident_bytes(process_id: int) -> int:
    return int(Path(f"/proc/{process_id}/statm").read_text().split()[1]) * PAGE_BYTES


@pytest.mark.timeout(120)
@pytest.mark.skipif(sys.platform != "linux", reason="reads how much memory a process has")
async def test_who_does_not_read_costs_nothing_and_is_told_the_last_of_it(
    database: ServiceDatabase, connection: "Connection[Record]"
) -> None:
    address = free_address()
    process = ServiceProcess("campaign", address, {"CAMPAIGN_DATABASE_URL": database.url})
    async with process.running() as process_id, open_channel(address) as channel:
        steps = CampaignSteps(channel)
        await steps.make_eligible()
        await connection.execute(MAKE_LARGE, CAMPAIGN_COUNT, NAME_BYTES)
        request = campaign_service_pb2.WatchCampaignsRequest(organization_id=ORGANIZATION)
        stream = steps.campaigns.WatchCampaigns(request)
        answers = aiter(stream)
        first = await anext(answers)
        async with watching(channel) as reader:
            await reader.is_told_at_least(CAMPAIGN_COUNT)
        before = resident_bytes(process_id)

        for _ in range(ROUNDS):
            await connection.execute(TOUCH_ALL)
        await steps.report_wallet(depleted=True)

        grown = resident_bytes(process_id) - before
        assert grown < GROWTH_BYTES_MAX, grown
        told, told_count = {first.campaign.campaign_id: first.campaign}, 1
        while len(told) < CAMPAIGN_COUNT or {state_of(each) for each in told.values()} != {
            "PAUSED WALLET_DEPLETED"
        }:
            response = await anext(answers)
            told[response.campaign.campaign_id] = response.campaign
            told_count += 1
        assert told_count < CAMPAIGN_COUNT * ROUNDS / 4
        assert told["c-1"] == await steps.get("c-1")
