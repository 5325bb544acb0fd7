"""ListCampaignChanges: each change of a campaign, by what and by whom."""

from datetime import UTC, datetime, timedelta
from itertools import chain

import asyncpg
import pytest

from libs.rpc.times import to_timestamp
from tests.integration.campaign.steps import CampaignSteps, told_of
from tests.support.databases import ServiceDatabase
from tests.support.errors import refusal
from tests.support.waiting import eventually
from tollgate.campaign.v1 import campaign_pb2
from tollgate.campaign.v1.campaign_service_pb2 import ListCampaignChangesRequest


async def test_every_command_is_told_with_its_actor_and_its_note(steps: CampaignSteps) -> None:
    await steps.make_eligible()
    await steps.create()
    await steps.start()
    await steps.pause(note="wrong text")
    await steps.resume()
    completed = await steps.complete()

    history = await steps.history()

    assert [told_of(change) for change in history] == [
        "spring: UNSPECIFIED > DRAFT, COMMAND by ann",
        "spring: DRAFT > RUNNING, COMMAND by bob",
        "spring: RUNNING > PAUSED MANUAL_PAUSE, COMMAND by ann: wrong text",
        "spring: PAUSED > RUNNING, COMMAND by ann",
        "spring: RUNNING > COMPLETED, COMMAND by cyd",
    ]
    assert history[0].create_time == completed.create_time
    assert history[-1].create_time == completed.update_time


async def test_what_changes_nothing_is_not_told(steps: CampaignSteps) -> None:
    await steps.make_eligible()
    for _ in range(2):
        await steps.create()
        await steps.start()
    for _ in range(2):
        await steps.pause()
    await steps.report_wallet(frozen=True)
    await steps.report_wallet()
    for _ in range(2):
        await steps.resume()
    await steps.report_wallet()
    await steps.report_subscription(good=True)
    for _ in range(2):
        await steps.complete()
    await steps.report_wallet(frozen=True)

    assert [told_of(change).split(", ")[0] for change in await steps.history()] == [
        "spring: UNSPECIFIED > DRAFT",
        "spring: DRAFT > RUNNING",
        "spring: RUNNING > PAUSED MANUAL_PAUSE",
        "spring: PAUSED > RUNNING",
        "spring: RUNNING > COMPLETED",
    ]


async def test_every_cause_is_told(steps: CampaignSteps) -> None:
    await steps.make_eligible()
    await steps.create_running("spring")

    await steps.report_wallet(depleted=True)
    await steps.report_subscription(good=False)
    await steps.pause_organization()
    await steps.stop_all()
    await steps.resume_all()
    await steps.resume_organization()
    await steps.report_subscription(good=True)
    await steps.report_wallet()

    assert [told_of(change) for change in (await steps.history())[2:]] == [
        "spring: RUNNING > PAUSED WALLET_DEPLETED, WALLET",
        "spring: PAUSED > PAUSED SUBSCRIPTION_INACTIVE, SUBSCRIPTION",
        "spring: PAUSED > PAUSED ORGANIZATION_PAUSE, ORGANIZATION_PAUSE by ann: complaints",
        "spring: PAUSED > PAUSED EMERGENCY_STOP, EMERGENCY_STOP by eve: wrong prices",
        "spring: PAUSED > PAUSED ORGANIZATION_PAUSE, EMERGENCY_STOP by eve: prices are right",
        "spring: PAUSED > PAUSED SUBSCRIPTION_INACTIVE, ORGANIZATION_PAUSE by ann",
        "spring: PAUSED > PAUSED WALLET_DEPLETED, SUBSCRIPTION",
        "spring: PAUSED > RUNNING, WALLET",
    ]


async def test_a_manual_pause_of_what_is_paused_already_is_told(steps: CampaignSteps) -> None:
    await steps.make_eligible()
    await steps.create_running("spring")
    await steps.report_wallet(frozen=True)
    await steps.pause(note="wrong text")
    await steps.resume()

    assert [told_of(change) for change in (await steps.history())[3:]] == [
        "spring: PAUSED > PAUSED MANUAL_PAUSE, COMMAND by ann: wrong text",
        "spring: PAUSED > PAUSED WALLET_FROZEN, COMMAND by ann",
    ]


async def run_for_a_moment(steps: CampaignSteps) -> datetime:
    """Let `spring` run; return when good standing will lapse."""
    await steps.make_eligible()
    await steps.create_running("spring")
    lapse_time = datetime.now(UTC) + timedelta(seconds=0.7)
    await steps.report_subscription(good=True, until=lapse_time)
    return lapse_time


async def test_a_lapse_is_told_with_its_own_time(steps: CampaignSteps) -> None:
    lapse_time = await run_for_a_moment(steps)

    history = await eventually(steps.history, lambda changes: len(changes) > 2)

    assert told_of(history[-1]) == "spring: RUNNING > PAUSED SUBSCRIPTION_INACTIVE, TIME"
    assert history[-1].create_time.ToDatetime(tzinfo=UTC) == lapse_time


async def test_a_lapse_that_a_command_finds_is_told_before_the_command(
    steps_without_workers: CampaignSteps,
) -> None:
    steps = steps_without_workers
    lapse_time = await run_for_a_moment(steps)
    await eventually(steps.eligibility, lambda found: not found.eligible)

    await steps.pause_organization()

    lapse, pause = (await steps.history())[2:]
    assert told_of(lapse) == "spring: RUNNING > PAUSED SUBSCRIPTION_INACTIVE, TIME"
    assert lapse.create_time.ToDatetime(tzinfo=UTC) == lapse_time
    assert (pause.cause, pause.actor) == (
        campaign_pb2.CAMPAIGN_CHANGE_CAUSE_ORGANIZATION_PAUSE,
        "ann",
    )


@pytest.fixture
async def some(steps: CampaignSteps) -> CampaignSteps:
    """Two organizations with a history each."""
    for organization_id in ("org-1", "org-2"):
        await steps.make_eligible(organization_id)
    await steps.create_running("one", organization_id="org-1")
    await steps.create_running("two", "three", organization_id="org-2")
    await steps.pause("two")
    await steps.report_wallet(frozen=True, organization_id="org-2")
    return steps


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (ListCampaignChangesRequest(organization_id="org-1"), "one-1 one-2"),
        (ListCampaignChangesRequest(campaign_id="two"), "two-1 two-2 two-3"),
        (ListCampaignChangesRequest(organization_id="org-1", campaign_id="two"), ""),
        (ListCampaignChangesRequest(actor="bob"), "one-2 two-2 three-2"),
        (ListCampaignChangesRequest(actor="bob", campaign_id="three"), "three-2"),
        (ListCampaignChangesRequest(actor="nobody"), ""),
        (
            ListCampaignChangesRequest(cause=campaign_pb2.CAMPAIGN_CHANGE_CAUSE_WALLET),
            "three-3",
        ),
        (ListCampaignChangesRequest(cause=campaign_pb2.CAMPAIGN_CHANGE_CAUSE_TIME), ""),
    ],
)
async def test_every_filter_restricts(
    some: CampaignSteps, wanted: ListCampaignChangesRequest, expected: str
) -> None:
    """Each change by its campaign and its number among the changes of that."""
    assert await numbered(some, await some.history(wanted)) == expected.split()


async def numbered(steps: CampaignSteps, changes: list[campaign_pb2.CampaignChange]) -> list[str]:
    found = []
    for change in changes:
        of_campaign = await steps.history(
            ListCampaignChangesRequest(campaign_id=change.campaign_id)
        )
        found.append(f"{change.campaign_id}-{of_campaign.index(change) + 1}")
    return found


async def test_times_restrict(some: CampaignSteps) -> None:
    history = await some.history()
    middle = history[4].create_time

    assert await some.history(ListCampaignChangesRequest(end_time=middle)) == history[:4]
    assert await some.history(ListCampaignChangesRequest(start_time=middle)) == history[4:]
    both = ListCampaignChangesRequest(start_time=middle, end_time=to_timestamp(datetime.now(UTC)))
    assert await some.history(both) == history[4:]


async def test_pages_follow_each_other_newest_first_and_end(some: CampaignSteps) -> None:
    request = ListCampaignChangesRequest(page_size=3)
    pages: list[list[campaign_pb2.CampaignChange]] = []
    while not pages or request.page_token:
        answer = await some.campaigns.ListCampaignChanges(request)
        pages.append(list(answer.changes))
        request.page_token = answer.next_page_token

    assert [len(page) for page in pages] == [3, 3, 2]
    assert [*chain(*pages)] == (await some.history())[::-1]


async def test_a_page_token_that_was_made_up_is_an_invalid_argument(steps: CampaignSteps) -> None:
    request = ListCampaignChangesRequest(page_token="made up")

    assert (await refusal(steps.history(request))).fields == ["page_token"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE campaign_changes SET note = ''",
        "DELETE FROM campaign_changes",
        "TRUNCATE campaign_changes",
        "DELETE FROM emergency_stop",
        "INSERT INTO emergency_stop VALUES (1, '', '', now())",
    ],
)
async def test_the_service_itself_may_not_rewrite_history(
    some: CampaignSteps, database: ServiceDatabase, statement: str
) -> None:
    connection = await asyncpg.connect(database.url)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()
