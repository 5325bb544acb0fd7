"""The emergency stop: nothing of anybody runs while it stands, whatever else happens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC

import asyncpg
import grpc
import pytest
from asyncpg import Connection, Record

from services.campaign.app import build
from tests.integration.campaign.conftest import campaign_settings
from tests.integration.campaign.steps import CampaignSteps, blockers_of, state_of, told_of
from tests.support.databases import ServiceDatabase
from tests.support.errors import refusal
from tests.support.services import running
from tests.support.waiting import eventually
from tollgate.campaign.v1 import campaign_pb2
from tollgate.campaign.v1.campaign_service_pb2 import (
    ListCampaignChangesRequest,
    ListCampaignsRequest,
    PauseAllCampaignsRequest,
)

MAKE_RUNNING = """
WITH made AS (
    INSERT INTO organizations (
        organization_id, subscription_revision, subscription_state, subscription_good_standing,
        subscription_good_until, wallet_revision, wallet_frozen, wallet_freeze_reasons,
        wallet_depleted, wallet_owing_micros, wallet_currency_code, reevaluate_time
    )
    SELECT 'org-' || number, 1, 'ACTIVE', true, '2999-01-01Z', 1, false, '{}', false, 0, 'USD',
        '2999-01-01Z'
    FROM generate_series(1, $1::int) AS number
    RETURNING organization_id
)
INSERT INTO campaigns (
    campaign_id, organization_id, brand_id, name, state, create_time, update_time
)
SELECT 'c-' || number, 'org-' || number, 'brand-1', '', 'RUNNING', now(), now()
FROM generate_series(1, $1::int) AS number
"""
STATES = "SELECT concat_ws(' ', state, pause_reason) AS told, count(*) FROM campaigns GROUP BY told"
STORED_STATE = "SELECT state FROM campaigns WHERE campaign_id = $1"
BREAK_ONE = """
ALTER TABLE campaigns
ADD CONSTRAINT broken CHECK (campaign_id <> 'c-7' OR state = 'RUNNING')
"""
HOLD = "SELECT FROM organizations WHERE organization_id = $1 FOR UPDATE"


async def stored_states(connection: "Connection[Record]") -> dict[str, int]:
    return {row["told"]: row["count"] for row in await connection.fetch(STATES)}


@asynccontextmanager
async def held(database: ServiceDatabase, organization_id: str) -> AsyncIterator[None]:
    """Hold an organization's row, as a transaction that takes its time does."""
    connection = await asyncpg.connect(database.superuser_url)
    try:
        async with connection.transaction():
            await connection.execute(HOLD, organization_id)
            yield
    finally:
        await connection.close()


async def test_nothing_of_anybody_runs_while_it_stands(steps: CampaignSteps) -> None:
    for organization_id in ("org-1", "org-2"):
        await steps.make_eligible(organization_id)
    await steps.create_running("spring", "by-hand")
    await steps.create_running("other", organization_id="org-2")
    await steps.create("draft")
    await steps.pause("by-hand", note="wrong text")

    assert await steps.stop_all() == 2

    spring = await steps.get("spring")
    assert state_of(spring) == "PAUSED EMERGENCY_STOP"
    assert blockers_of(spring) == ["EMERGENCY_STOP"]
    assert spring.note == "wrong prices"
    by_hand = await steps.get("by-hand")
    assert state_of(by_hand) == "PAUSED MANUAL_PAUSE"
    assert blockers_of(by_hand) == ["MANUAL_PAUSE", "EMERGENCY_STOP"]
    assert by_hand.note == "wrong text"
    assert state_of(await steps.get("other")) == "PAUSED EMERGENCY_STOP"
    assert (await refusal(steps.start("draft"))).metadata == {"blockers": "EMERGENCY_STOP"}
    assert state_of(await steps.resume("by-hand")) == "PAUSED EMERGENCY_STOP"


async def test_no_level_and_no_operator_of_one_organization_lifts_it(steps: CampaignSteps) -> None:
    await steps.make_eligible()
    await steps.create_running("spring")
    await steps.stop_all()

    await steps.report_wallet(frozen=True)
    await steps.report_wallet()
    await steps.report_subscription(good=False)
    await steps.report_subscription(good=True)
    await steps.pause_organization()
    answer = await steps.resume_organization()

    assert (answer.resumed_count, blockers_of(answer.eligibility)) == (0, ["EMERGENCY_STOP"])
    assert state_of(await steps.get()) == "PAUSED EMERGENCY_STOP"


async def test_it_holds_for_organizations_that_nobody_knew(steps: CampaignSteps) -> None:
    await steps.stop_all()

    unknown = await steps.eligibility("nobody")
    await steps.make_eligible()
    await steps.create()

    assert blockers_of(unknown) == ["EMERGENCY_STOP", "SUBSCRIPTION_INACTIVE", "WALLET_DEPLETED"]
    assert blockers_of(await steps.eligibility()) == ["EMERGENCY_STOP"]
    assert (await refusal(steps.start())).metadata == {"blockers": "EMERGENCY_STOP"}


async def test_lifting_it_runs_exactly_what_nothing_else_holds(steps: CampaignSteps) -> None:
    for organization_id in ("org-1", "org-2", "org-3"):
        await steps.make_eligible(organization_id)
    await steps.create_running("spring", "by-hand", "over")
    await steps.create_running("blocked", organization_id="org-2")
    await steps.create_running("frozen", organization_id="org-3")
    before = (await steps.get("spring")).create_time
    await steps.pause("by-hand")
    await steps.stop_all()
    await steps.complete("over")
    await steps.pause_organization("org-2")
    await steps.report_wallet(frozen=True, organization_id="org-3")

    assert await steps.resume_all() == 1

    spring = await steps.get("spring")
    assert (state_of(spring), spring.note, spring.create_time) == ("RUNNING", "", before)
    assert state_of(await steps.get("by-hand")) == "PAUSED MANUAL_PAUSE"
    assert state_of(await steps.get("over")) == "COMPLETED"
    blocked = await steps.get("blocked")
    assert (state_of(blocked), blocked.note) == ("PAUSED ORGANIZATION_PAUSE", "complaints")
    assert state_of(await steps.get("frozen")) == "PAUSED WALLET_FROZEN"


async def test_the_stop_is_told_with_its_author(steps: CampaignSteps) -> None:
    never = await steps.emergency_stop()
    await steps.stop_all("wrong prices", "eve")
    standing = await steps.emergency_stop()
    # Whoever comes second leaves it as it is, and hears of it what the first one heard.
    await steps.stop_all("me too", "bob")
    still = await steps.emergency_stop()
    await steps.resume_all("prices are right", "ann")
    lifted = await steps.emergency_stop()

    assert never == campaign_pb2.EmergencyStop()
    assert (standing.active, standing.note, standing.actor) == (True, "wrong prices", "eve")
    assert standing == still
    assert (lifted.active, lifted.note, lifted.actor) == (False, "prices are right", "ann")
    assert lifted.create_time.ToNanoseconds() > standing.create_time.ToNanoseconds()


async def test_what_it_moved_is_told_to_everybody_who_asks_for_it(steps: CampaignSteps) -> None:
    assert await steps.resume_all() == 0
    await steps.make_eligible()
    await steps.create_running("spring", "autumn")

    assert [await steps.stop_all(), await steps.stop_all()] == [2, 2]
    await steps.complete("autumn")
    assert [await steps.resume_all(), await steps.resume_all()] == [1, 1]
    assert await steps.stop_all() == 1


async def test_a_stop_that_nobody_ended_settling_is_seen_at_once_and_settled_by_any_process(
    steps_without_workers: CampaignSteps,
    database: ServiceDatabase,
    connection: "Connection[Record]",
) -> None:
    """The caller hangs up while the stop is settled; its process never comes to the campaigns."""
    steps = steps_without_workers
    await steps.make_eligible()
    await steps.create_running("spring")
    await steps.create("draft")
    async with held(database, "org-1"):
        with pytest.raises(grpc.aio.AioRpcError) as gone:
            await steps.campaigns.PauseAllCampaigns(PauseAllCampaignsRequest(), timeout=0.3)
        assert gone.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        stop = await eventually(steps.emergency_stop, lambda found: found.active)

    spring = await steps.get()
    assert await connection.fetchval(STORED_STATE, "spring") == "RUNNING"
    assert state_of(spring) == "PAUSED EMERGENCY_STOP"
    assert spring.pause_time == stop.create_time
    stopped = ListCampaignsRequest(pause_reason=campaign_pb2.PAUSE_REASON_EMERGENCY_STOP)
    assert await steps.list_ids(stopped) == ["spring"]
    assert (
        await steps.list_ids(ListCampaignsRequest(state=campaign_pb2.CAMPAIGN_STATE_RUNNING)) == []
    )
    assert blockers_of(await steps.eligibility()) == ["EMERGENCY_STOP"]

    async with running(await build(campaign_settings(database))):
        await eventually(
            lambda: connection.fetchval(STORED_STATE, "spring"), lambda state: state == "PAUSED"
        )

    assert await steps.get() == spring
    assert (await refusal(steps.start("draft"))).metadata == {"blockers": "EMERGENCY_STOP"}
    assert await steps.stop_all() == 1


async def test_whoever_is_held_up_holds_up_no_other(
    steps_without_workers: CampaignSteps,
    database: ServiceDatabase,
    connection: "Connection[Record]",
) -> None:
    steps = steps_without_workers
    await connection.execute(MAKE_RUNNING, 20)

    async with held(database, "org-7"):
        stop = asyncio.create_task(steps.stop_all())
        await eventually(
            lambda: stored_states(connection),
            lambda found: found == {"PAUSED EMERGENCY_STOP": 19, "RUNNING": 1},
        )
        assert await stop == 19
        assert state_of(await steps.get("c-7")) == "PAUSED EMERGENCY_STOP"

    assert await steps.stop_all() == 20


async def test_one_that_cannot_be_settled_keeps_no_other(
    steps: CampaignSteps, connection: "Connection[Record]"
) -> None:
    await connection.execute(MAKE_RUNNING, 250)
    await connection.execute(BREAK_ONE)

    assert await steps.stop_all() == 249

    assert await stored_states(connection) == {"PAUSED EMERGENCY_STOP": 249, "RUNNING": 1}
    assert state_of(await steps.get("c-7")) == "PAUSED EMERGENCY_STOP"

    await connection.execute("ALTER TABLE campaigns DROP CONSTRAINT broken")

    await eventually(
        lambda: stored_states(connection), lambda found: found == {"PAUSED EMERGENCY_STOP": 250}
    )


async def test_a_lapse_before_the_stop_and_one_after_it_keep_their_order(
    steps_without_workers: CampaignSteps, connection: "Connection[Record]"
) -> None:
    """All is found late and at once; each campaign has been paused since the first of them."""
    steps = steps_without_workers
    for organization_id in ("org-1", "org-2"):
        await steps.make_eligible(organization_id)
    await steps.create_running("first", organization_id="org-1")
    await steps.create_running("second", "started-since", organization_id="org-2")
    await connection.execute(
        "UPDATE emergency_stop SET number = 1, note = 'n', change_time = now() - interval '1 hour'"
    )
    await connection.execute("""
        UPDATE campaigns SET update_time = now() - interval '1 day'
        WHERE campaign_id <> 'started-since';
        UPDATE organizations SET reevaluate_time = lapse, subscription_good_until = lapse
        FROM (VALUES ('org-1', now() - interval '2 hours'), ('org-2', now() - interval '2 minutes'))
            AS lapses (id, lapse)
        WHERE organization_id = id
    """)
    campaign_ids = ("first", "second", "started-since")
    seen = [await steps.get(each) for each in campaign_ids]

    await steps.stop_all()

    assert [await steps.get(each) for each in campaign_ids] == seen
    assert await told_without_commands(steps, "first") == [
        "first: RUNNING > PAUSED SUBSCRIPTION_INACTIVE, TIME",
        "first: PAUSED > PAUSED EMERGENCY_STOP, EMERGENCY_STOP: n",
    ]
    assert await told_without_commands(steps, "second") == [
        "second: RUNNING > PAUSED EMERGENCY_STOP, EMERGENCY_STOP: n"
    ]
    lapse = await connection.fetchval(
        "SELECT subscription_good_until FROM organizations WHERE organization_id = 'org-1'"
    )
    assert seen[0].pause_time.ToDatetime(tzinfo=UTC) == lapse
    # What had begun to run after the stop, by another clock, was not paused before that.
    assert seen[2].pause_time == seen[2].update_time


async def told_without_commands(steps: CampaignSteps, campaign_id: str) -> list[str]:
    history = await steps.history(ListCampaignChangesRequest(campaign_id=campaign_id))
    return [told_of(each) for each in history if "COMMAND" not in told_of(each)]
