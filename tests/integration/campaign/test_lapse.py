"""Good news expires: with the gateway away, nothing runs on after good_until."""

from datetime import UTC, datetime, timedelta

from asyncpg import Connection, Record

from tests.integration.campaign.steps import CampaignSteps, blockers_of, state_of
from tests.support.waiting import eventually
from tollgate.campaign.v1 import campaign_pb2
from tollgate.campaign.v1.campaign_service_pb2 import ListCampaignsRequest

STORED_STATE = "SELECT state FROM campaigns WHERE campaign_id = $1"


async def run_for_a_moment(steps: CampaignSteps) -> datetime:
    """Let `spring` run, with `by-hand` paused beside it; return when good standing will lapse."""
    await steps.make_eligible()
    await steps.create_running("spring", "by-hand")
    await steps.pause("by-hand")
    lapse_time = datetime.now(UTC) + timedelta(seconds=0.7)
    await steps.report_subscription(good=True, until=lapse_time)
    assert state_of(await steps.get()) == "RUNNING"
    return lapse_time


async def has_lapsed(steps: CampaignSteps) -> bool:
    return not (await steps.eligibility()).eligible


async def test_campaigns_pause_at_good_until_without_anybodys_call(
    steps: CampaignSteps, connection: "Connection[Record]"
) -> None:
    lapse_time = await run_for_a_moment(steps)

    await eventually(
        lambda: connection.fetchval(STORED_STATE, "spring"), lambda state: state == "PAUSED"
    )

    spring = await steps.get()
    assert state_of(spring) == "PAUSED SUBSCRIPTION_INACTIVE"
    assert spring.pause_time.ToDatetime(tzinfo=UTC) == lapse_time
    assert state_of(await steps.get("by-hand")) == "PAUSED MANUAL_PAUSE"

    await steps.report_subscription(good=True)

    assert state_of(await steps.get()) == "RUNNING"
    assert state_of(await steps.get("by-hand")) == "PAUSED MANUAL_PAUSE"


async def test_answers_tell_of_a_lapse_before_the_worker_has_acted(
    steps_without_workers: CampaignSteps, connection: "Connection[Record]"
) -> None:
    steps = steps_without_workers
    lapse_time = await run_for_a_moment(steps)
    await steps.create("draft")
    await eventually(lambda: has_lapsed(steps), bool)

    spring = await steps.get()
    assert await connection.fetchval(STORED_STATE, "spring") == "RUNNING"
    assert state_of(spring) == "PAUSED SUBSCRIPTION_INACTIVE"
    assert spring.pause_time.ToDatetime(tzinfo=UTC) == lapse_time
    assert blockers_of(await steps.get("draft")) == ["SUBSCRIPTION_INACTIVE"]
    assert (await steps.eligibility()).subscription.good_standing
    assert (
        await steps.list_ids(ListCampaignsRequest(state=campaign_pb2.CAMPAIGN_STATE_RUNNING)) == []
    )
    for wanted in (
        ListCampaignsRequest(pause_reason=campaign_pb2.PAUSE_REASON_SUBSCRIPTION_INACTIVE),
        ListCampaignsRequest(
            state=campaign_pb2.CAMPAIGN_STATE_PAUSED, paused_after=spring.pause_time
        ),
        ListCampaignsRequest(paused_after=spring.pause_time, page_size=1),
    ):
        assert await steps.list_ids(wanted) == ["spring"]


async def test_a_command_that_comes_after_a_lapse_finds_it_done(
    steps_without_workers: CampaignSteps, connection: "Connection[Record]"
) -> None:
    steps = steps_without_workers
    lapse_time = await run_for_a_moment(steps)
    await eventually(lambda: has_lapsed(steps), bool)

    # It does not run any more, so it is not this call that pauses it.
    assert await steps.pause_organization() == 0

    assert await connection.fetchval(STORED_STATE, "spring") == "PAUSED"
    spring = await steps.get()
    assert state_of(spring) == "PAUSED ORGANIZATION_PAUSE"
    assert spring.pause_time.ToDatetime(tzinfo=UTC) == lapse_time


async def test_a_lapsed_level_that_is_renewed_runs_what_it_paused(
    steps_without_workers: CampaignSteps,
) -> None:
    steps = steps_without_workers
    await run_for_a_moment(steps)
    await eventually(lambda: has_lapsed(steps), bool)

    await steps.report_subscription(good=True)

    assert state_of(await steps.get()) == "RUNNING"
    assert (await steps.eligibility()).eligible


async def test_a_level_that_comes_after_its_time_is_no_good_news(steps: CampaignSteps) -> None:
    await steps.report_wallet()
    await steps.report_subscription(good=True, until=datetime(2026, 1, 1, tzinfo=UTC))

    assert blockers_of(await steps.eligibility()) == ["SUBSCRIPTION_INACTIVE"]
