"""Campaigns pause and run by themselves; what a person paused, only a person resumes."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import grpc
import pytest
from asyncpg import Connection, Record

from tests.integration.campaign.steps import CampaignSteps, blockers_of, state_of
from tests.support.errors import refusal
from tests.support.level_steps import ORGANIZATION
from tollgate.campaign.v1 import campaign_service_pb2

CAMPAIGN_COUNT = 10_000


async def states(steps: CampaignSteps, organization_id: str = ORGANIZATION) -> dict[str, str]:
    request = campaign_service_pb2.ListCampaignsRequest(organization_id=organization_id)
    answer = await steps.campaigns.ListCampaigns(request)
    return {campaign.campaign_id: state_of(campaign) for campaign in answer.campaigns}


async def test_bad_news_pauses_what_runs_and_good_news_runs_exactly_that_again(
    steps: CampaignSteps,
) -> None:
    await steps.make_eligible()
    await steps.make_eligible("org-2")
    await steps.create("draft")
    await steps.create_running("spring", "by-hand", "over")
    await steps.create_running("neighbour", organization_id="org-2")
    await steps.pause("by-hand")
    await steps.complete("over")
    before = await states(steps)

    await steps.report_wallet(depleted=True)

    assert await states(steps) == {
        "by-hand": "PAUSED MANUAL_PAUSE",
        "draft": "DRAFT",
        "over": "COMPLETED",
        "spring": "PAUSED WALLET_DEPLETED",
    }
    assert await states(steps, "org-2") == {"neighbour": "RUNNING"}

    await steps.report_wallet()

    assert await states(steps) == before
    assert before["spring"] == "RUNNING"


async def test_the_first_of_several_reasons_is_shown_and_the_last_to_go_lets_it_run(
    steps: CampaignSteps,
) -> None:
    await steps.make_eligible()
    await steps.create_running("spring")

    await steps.report_wallet(depleted=True)
    depleted = await steps.get()
    await steps.report_wallet(depleted=True, frozen=True)
    frozen = await steps.get()
    await steps.report_subscription(good=False)
    inactive = await steps.get()
    await steps.report_wallet()
    filled = await steps.get()
    await steps.report_subscription(good=True)

    assert state_of(depleted) == "PAUSED WALLET_DEPLETED"
    assert state_of(frozen) == "PAUSED WALLET_FROZEN"
    assert blockers_of(frozen) == ["WALLET_FROZEN", "WALLET_DEPLETED"]
    assert state_of(inactive) == "PAUSED SUBSCRIPTION_INACTIVE"
    assert len(blockers_of(inactive)) == 3
    assert blockers_of(filled) == ["SUBSCRIPTION_INACTIVE"]
    assert state_of(await steps.get()) == "RUNNING"
    # It was paused once, whatever the reason was.
    assert depleted.pause_time == filled.pause_time == filled.update_time


@pytest.mark.parametrize("moment", ["before", "during"])
async def test_a_manual_pause_outlasts_an_automatic_one(steps: CampaignSteps, moment: str) -> None:
    await steps.make_eligible()
    await steps.create_running("spring")
    if moment == "before":
        await steps.pause(note="wrong text")
    await steps.report_subscription(good=False)
    paused_automatically = await steps.get()
    if moment == "during":
        await steps.pause(note="wrong text")

    during = await steps.get()
    await steps.report_subscription(good=True)
    after = await steps.get()

    assert state_of(during) == state_of(after) == "PAUSED MANUAL_PAUSE"
    assert blockers_of(during) == ["MANUAL_PAUSE", "SUBSCRIPTION_INACTIVE"]
    assert blockers_of(after) == ["MANUAL_PAUSE"]
    assert after.note == "wrong text"
    assert after.pause_time == paused_automatically.pause_time
    assert state_of(await steps.resume()) == "RUNNING"


async def test_a_manual_pause_after_an_automatic_one_stays(steps: CampaignSteps) -> None:
    await steps.make_eligible()
    await steps.create_running("spring")
    await steps.report_wallet(frozen=True)
    await steps.report_wallet()
    await steps.pause()

    await steps.report_wallet(frozen=True)
    await steps.report_wallet()

    assert state_of(await steps.get()) == "PAUSED MANUAL_PAUSE"


async def test_resuming_by_hand_what_is_blocked_leaves_it_to_the_blocker(
    steps: CampaignSteps,
) -> None:
    await steps.make_eligible()
    await steps.create_running("spring")
    await steps.pause(note="wrong text")
    await steps.report_wallet(depleted=True)

    resumed = await steps.resume()
    await steps.report_wallet()

    assert state_of(resumed) == "PAUSED WALLET_DEPLETED"
    assert resumed.note == ""
    assert state_of(await steps.get()) == "RUNNING"


async def test_an_operators_pause_holds_all_of_an_organization_now_and_later(
    steps: CampaignSteps,
) -> None:
    await steps.make_eligible()
    await steps.create_running("one", "two", "by-hand")
    await steps.pause("by-hand")
    await steps.create("draft")

    assert await steps.pause_organization() == 2
    assert await steps.pause_organization() == 0

    assert await states(steps) == {
        "by-hand": "PAUSED MANUAL_PAUSE",
        "draft": "DRAFT",
        "one": "PAUSED ORGANIZATION_PAUSE",
        "two": "PAUSED ORGANIZATION_PAUSE",
    }
    assert (await refusal(steps.start("draft"))).metadata == {"blockers": "ORGANIZATION_PAUSE"}
    # The money comes and goes: that lifts nothing.
    await steps.report_wallet(depleted=True)
    await steps.report_wallet()
    assert state_of(await steps.get("one")) == "PAUSED ORGANIZATION_PAUSE"
    assert state_of(await steps.resume("by-hand")) == "PAUSED ORGANIZATION_PAUSE"
    await steps.pause("by-hand")

    answer = await steps.resume_organization()

    assert answer.resumed_count == 2
    assert answer.eligibility.eligible
    assert answer.eligibility == await steps.eligibility()
    assert state_of(await steps.get("one")) == "RUNNING"
    assert state_of(await steps.get("by-hand")) == "PAUSED MANUAL_PAUSE"
    assert (await steps.resume_organization()).resumed_count == 0


async def test_lifting_an_operators_pause_runs_nothing_that_something_else_holds(
    steps: CampaignSteps,
) -> None:
    await steps.make_eligible()
    await steps.create_running("spring")
    await steps.pause_organization()
    await steps.report_wallet(frozen=True)

    answer = await steps.resume_organization()

    assert answer.resumed_count == 0
    assert blockers_of(answer.eligibility) == ["WALLET_FROZEN"]
    assert state_of(await steps.get()) == "PAUSED WALLET_FROZEN"


async def test_an_operators_pause_of_an_unknown_organization_holds_what_it_makes_later(
    steps: CampaignSteps,
) -> None:
    assert await steps.pause_organization() == 0

    await steps.make_eligible()
    await steps.create()

    assert (await refusal(steps.start())).metadata == {"blockers": "ORGANIZATION_PAUSE"}
    assert blockers_of(await steps.eligibility()) == ["ORGANIZATION_PAUSE"]


async def test_who_paused_an_organization_and_why_is_shown_though_no_campaign_shows_it(
    steps: CampaignSteps,
) -> None:
    await steps.make_eligible()
    await steps.create("draft")
    await steps.create_running("by-hand")
    await steps.pause("by-hand", note="wrong text")
    assert not (await steps.eligibility()).HasField("pause")
    before = datetime.now(UTC)

    assert await steps.pause_organization() == 0

    pause = (await steps.eligibility()).pause
    assert (pause.note, pause.actor) == ("complaints", "ann")
    assert abs(pause.create_time.ToDatetime(UTC) - before) < timedelta(minutes=1)
    lifted = (await steps.resume_organization()).eligibility
    assert not lifted.HasField("pause")


async def test_lifting_a_pause_that_nobody_set_is_no_error(steps: CampaignSteps) -> None:
    answer = await steps.resume_organization("nobody")

    assert answer.resumed_count == 0
    assert blockers_of(answer.eligibility) == ["SUBSCRIPTION_INACTIVE", "WALLET_DEPLETED"]


async def test_an_organization_that_nobody_has_told_of_is_not_eligible(
    steps: CampaignSteps, connection: "Connection[Record]"
) -> None:
    found = await steps.eligibility("nobody")

    assert found.organization_id == "nobody"
    assert not found.eligible
    assert blockers_of(found) == ["SUBSCRIPTION_INACTIVE", "WALLET_DEPLETED"]
    assert not found.HasField("subscription")
    assert not found.HasField("wallet")
    assert await connection.fetchval("SELECT count(*) FROM organizations") == 0


async def test_eligibility_shows_the_levels_that_it_rests_on(steps: CampaignSteps) -> None:
    await steps.report_subscription(good=True, revision=7)
    await steps.report_wallet(depleted=True, owing_micros=7, revision=3)

    found = await steps.eligibility()

    assert (found.subscription.revision, found.subscription.good_standing) == (7, True)
    assert found.subscription.good_until.ToDatetime().year == 2999
    assert (found.wallet.revision, found.wallet.frozen, found.wallet.depleted) == (3, False, True)
    assert found.wallet.owing_micros == 7
    assert blockers_of(found) == ["WALLET_DEPLETED"]


async def test_a_debt_alone_pauses_nothing(steps: CampaignSteps) -> None:
    await steps.make_eligible()
    await steps.create_running("spring")
    await steps.report_wallet(owing_micros=7)
    assert state_of(await steps.get()) == "RUNNING"


async def test_a_level_that_comes_late_or_again_does_no_harm(steps: CampaignSteps) -> None:
    assert await steps.report_subscription(good=True, revision=5) == 5
    assert await steps.report_wallet(revision=5) == 5
    await steps.create_running("spring")

    assert await steps.report_subscription(good=False, revision=4) == 5
    assert await steps.report_wallet(frozen=True, revision=4) == 5
    assert await steps.report_subscription(good=True, revision=5) == 5
    assert await steps.report_wallet(revision=5) == 5
    assert state_of(await steps.get()) == "RUNNING"

    assert await steps.report_wallet(frozen=True, revision=6) == 6
    assert await steps.report_wallet(frozen=True, revision=6) == 6
    assert state_of(await steps.get()) == "PAUSED WALLET_FROZEN"


async def test_a_revision_with_other_content_is_refused_loudly(steps: CampaignSteps) -> None:
    await steps.report_subscription(good=True, revision=5)
    await steps.report_wallet(revision=5)

    for call in (
        steps.report_subscription(good=False, revision=5),
        steps.report_wallet(frozen=True, revision=5),
    ):
        found = await refusal(call)
        assert found.code is grpc.StatusCode.ALREADY_EXISTS
        assert (found.reason, found.metadata) == ("REFERENCE_CONFLICT", {"heldRevision": "5"})
    assert (await steps.eligibility()).eligible


MAKE_CAMPAIGNS = """
INSERT INTO campaigns (
    campaign_id, organization_id, brand_id, name, state, create_time, update_time
)
SELECT 'c-' || number, $1, 'brand-1', '', 'RUNNING', now(), now()
FROM generate_series(1, $2::int) AS number
"""


TRANSACTIONS = "SELECT count(DISTINCT xmin::text) FROM campaigns"
LINES = """
SELECT count(DISTINCT campaign_id) FROM campaign_changes WHERE cause = $1 AND to_state = $2
"""


@pytest.mark.parametrize("cause", ["WALLET", "ORGANIZATION_PAUSE", "EMERGENCY_STOP"])
async def test_ten_thousand_campaigns_are_paused_and_run_again_in_one_transaction(
    steps: CampaignSteps, connection: "Connection[Record]", cause: str
) -> None:
    await steps.make_eligible()
    await connection.execute(MAKE_CAMPAIGNS, ORGANIZATION, CAMPAIGN_COUNT)
    pauses: dict[str, Callable[[], Awaitable[object]]] = {
        "WALLET": partial(steps.report_wallet, frozen=True),
        "ORGANIZATION_PAUSE": steps.pause_organization,
        "EMERGENCY_STOP": steps.stop_all,
    }
    resumes: dict[str, Callable[[], Awaitable[object]]] = {
        "WALLET": steps.report_wallet,
        "ORGANIZATION_PAUSE": steps.resume_organization,
        "EMERGENCY_STOP": steps.resume_all,
    }
    for moves, state in ((pauses, "PAUSED"), (resumes, "RUNNING")):
        await moves[cause]()

        assert await connection.fetchval(TRANSACTIONS) == 1
        assert await connection.fetchval(LINES, cause, state) == CAMPAIGN_COUNT
