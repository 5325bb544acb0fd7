"""What happens at the same moment ends as if one had come after the other."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import grpc
from asyncpg import Connection, Record

from services.campaign.app import build
from tests.integration.campaign.conftest import campaign_settings
from tests.integration.campaign.steps import CampaignSteps, state_of
from tests.support.databases import ServiceDatabase
from tests.support.searching import times
from tests.support.services import running
from tests.support.waiting import eventually

ROUNDS = times(1000)

MAKE_ELIGIBLE_ORGANIZATIONS = """
INSERT INTO organizations (
    organization_id, subscription_revision, subscription_state, subscription_good_standing,
    subscription_good_until, wallet_revision, wallet_frozen, wallet_freeze_reasons,
    wallet_depleted, wallet_owing_micros, wallet_currency_code, reevaluate_time
)
SELECT 'org-' || number, 1, 'ACTIVE', true, '2999-01-01Z', 1, false, '{}', false, 0, 'USD',
    '2999-01-01Z'
FROM generate_series(1, $1::int) AS number
"""

MAKE_DRAFTS = """
INSERT INTO campaigns (
    campaign_id, organization_id, brand_id, name, state, create_time, update_time
)
SELECT 'c-' || number, 'org-' || number, 'brand-1', '', 'DRAFT', now(), now()
FROM generate_series(1, $1::int) AS number
"""


STARTED_AT_STOPS, STARTED_AT_ONCE = 300, 15
STORED_COUNTS = """
SELECT concat_ws(' ', state, pause_reason) AS told, count(*) FROM campaigns GROUP BY told
"""
COUNT_WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"
BROKEN_LINES = """
SELECT * FROM (
    SELECT *, lag(to_state) OVER lines AS state_before, lag(create_time) OVER lines AS time_before
    FROM campaign_changes WINDOW lines AS (PARTITION BY campaign_id ORDER BY sequence)
) AS lined
WHERE from_state <> state_before OR create_time < time_before
"""
BROKEN_ENDS = """
SELECT * FROM campaigns JOIN (
    SELECT DISTINCT ON (campaign_id) campaign_id, to_state, pause_reason AS to_reason
    FROM campaign_changes ORDER BY campaign_id, sequence DESC
) AS ends USING (campaign_id)
WHERE state <> to_state OR pause_reason IS DISTINCT FROM to_reason
"""


async def test_a_campaign_started_at_the_moment_of_the_bad_news_never_stays_running(
    steps: CampaignSteps, connection: "Connection[Record]"
) -> None:
    await connection.execute(MAKE_ELIGIBLE_ORGANIZATIONS, ROUNDS)
    await connection.execute(MAKE_DRAFTS, ROUNDS)
    started_count = 0

    for number in range(1, ROUNDS + 1):
        bad_news = report_bad_news(steps, f"org-{number}", number)
        calls = [try_to_start(steps, f"c-{number}"), bad_news]
        answers = await asyncio.gather(*(calls if number % 2 else reversed(calls)))
        started_count += sum(answers)

    stored = await connection.fetch("SELECT state, count(*) FROM campaigns GROUP BY state")
    # Both orders were met, or it would have been no race.
    assert 0 < started_count < ROUNDS
    assert {row["state"]: row["count"] for row in stored} == {
        "PAUSED": started_count,
        "DRAFT": ROUNDS - started_count,
    }


async def try_to_start(steps: CampaignSteps, campaign_id: str) -> bool:
    try:
        await steps.start(campaign_id)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
            raise
        return False
    return True


async def report_bad_news(steps: CampaignSteps, organization_id: str, number: int) -> bool:
    if number % 3:
        await steps.report_wallet(frozen=True, organization_id=organization_id, revision=2)
    else:
        await steps.report_subscription(good=False, organization_id=organization_id, revision=2)
    return False


async def test_whoever_has_waited_for_the_lock_while_all_was_stopped_does_not_start(
    steps_without_workers: CampaignSteps, connection: "Connection[Record]"
) -> None:
    """The statement that waits began before the stop, and must not see the stop as it was then."""
    steps = steps_without_workers
    await connection.execute(MAKE_ELIGIBLE_ORGANIZATIONS, 1)
    await connection.execute(MAKE_DRAFTS, 1)
    async with connection.transaction():
        await connection.execute("SELECT FROM organizations FOR UPDATE")
        start = asyncio.create_task(try_to_start(steps, "c-1"))
        await eventually(lambda: connection.fetchval(COUNT_WAITING), lambda count: count == 1)
        stop = asyncio.create_task(steps.stop_all())
        await eventually(steps.emergency_stop, lambda found: found.active)

    assert await start is False
    assert await stop == 0
    assert state_of(await steps.get("c-1")) == "DRAFT"


async def test_a_campaign_started_at_the_moment_of_the_stop_never_stays_running(
    steps: CampaignSteps, connection: "Connection[Record]"
) -> None:
    """Many are started, each by itself, while all is stopped and let go again and again."""
    await connection.execute(MAKE_ELIGIBLE_ORGANIZATIONS, STARTED_AT_STOPS)
    await connection.execute(MAKE_DRAFTS, STARTED_AT_STOPS)
    campaign_ids = [f"c-{number}" for number in range(1, STARTED_AT_STOPS + 1)]
    started_count = 0

    for begin in range(0, STARTED_AT_STOPS, STARTED_AT_ONCE):
        starts = [try_to_start(steps, each) for each in campaign_ids[begin:][:STARTED_AT_ONCE]]
        *started, _ = await asyncio.gather(*starts, steps.stop_all())
        started_count += sum(started)

        assert await stored_counts(connection) == {
            key: count
            for key, count in {
                "DRAFT": STARTED_AT_STOPS - started_count,
                "PAUSED EMERGENCY_STOP": started_count,
            }.items()
            if count
        }
        await steps.resume_all()

    # Both orders were met, or it would have been no race.
    assert 0 < started_count < STARTED_AT_STOPS
    assert await stored_counts(connection) == {
        "DRAFT": STARTED_AT_STOPS - started_count,
        "RUNNING": started_count,
    }
    await require_unbroken_history(connection)


async def test_of_many_who_stop_and_resume_all_at_once_the_last_one_is_obeyed_by_everybody(
    steps: CampaignSteps, database: ServiceDatabase, connection: "Connection[Record]"
) -> None:
    """Two processes, and the workers of both."""
    await connection.execute(MAKE_ELIGIBLE_ORGANIZATIONS, 250)
    await connection.execute(MAKE_DRAFTS, 250)
    await connection.execute("UPDATE campaigns SET state = 'RUNNING'")
    async with running(await build(campaign_settings(database))) as channel:
        other = CampaignSteps(channel)
        for _ in range(3):
            assert {*await asyncio.gather(steps.stop_all(), other.stop_all())} == {250}
            assert {*await asyncio.gather(other.resume_all(), steps.resume_all())} == {250}

        for _ in range(8):
            calls = [steps.stop_all(), other.resume_all(), other.stop_all(), steps.resume_all()]
            await asyncio.gather(*calls)
            active = (await steps.emergency_stop()).active
            state = "PAUSED EMERGENCY_STOP" if active else "RUNNING"
            assert await stored_counts(connection) == {state: 250}
    await require_unbroken_history(connection)


async def test_good_news_at_the_moment_of_the_stop_never_runs_anything(
    steps: CampaignSteps, connection: "Connection[Record]"
) -> None:
    await steps.make_eligible()
    await steps.create_running("spring")
    for _ in range(times(50)):
        await steps.report_wallet(frozen=True)
        await asyncio.gather(steps.report_wallet(), steps.stop_all())

        assert await stored_counts(connection) == {"PAUSED EMERGENCY_STOP": 1}

        await asyncio.gather(steps.report_wallet(frozen=True), steps.resume_all())

        assert await stored_counts(connection) == {"PAUSED WALLET_FROZEN": 1}
    await require_unbroken_history(connection)


async def stored_counts(connection: "Connection[Record]") -> dict[str, int]:
    return {row["told"]: row["count"] for row in await connection.fetch(STORED_COUNTS)}


async def test_an_organization_made_at_the_moment_of_its_first_levels_misses_none(
    steps: CampaignSteps,
) -> None:
    for number in range(times(100)):
        organization_id = f"org-{number}"
        await asyncio.gather(
            steps.create(f"c-{number}", organization_id),
            steps.report_subscription(good=True, organization_id=organization_id),
            steps.report_wallet(organization_id=organization_id),
            steps.pause_organization(organization_id),
        )
        answer = await steps.resume_organization(organization_id)
        assert answer.eligibility.eligible
        assert state_of(await steps.start(f"c-{number}")) == "RUNNING"


async def test_whatever_happens_the_stored_state_is_the_one_that_follows_from_the_facts(
    steps: CampaignSteps, connection: "Connection[Record]"
) -> None:
    """The states are stored by set-based SQL and derived by the pure rule: both must agree."""
    chance = random.Random(20)
    campaign_ids = ["one", "two", "three"]
    for campaign_id in campaign_ids:
        await steps.create(campaign_id)

    for _ in range(times(150)):
        await asyncio.gather(
            do_anything(steps, chance, campaign_ids), do_anything(steps, chance, campaign_ids)
        )
        for campaign_id in campaign_ids:
            assert await stored_state(connection, campaign_id) == state_of(
                await steps.get(campaign_id)
            )
    await require_unbroken_history(connection)


async def require_unbroken_history(connection: "Connection[Record]") -> None:
    """Each line begins where the one before ended, and the last one ends with what is stored."""
    assert await connection.fetch(BROKEN_LINES) == []
    assert await connection.fetch(BROKEN_ENDS) == []


async def do_anything(steps: CampaignSteps, chance: random.Random, campaign_ids: list[str]) -> None:
    campaign_id = chance.choice(campaign_ids)
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: steps.start(campaign_id),
        lambda: steps.pause(campaign_id),
        lambda: steps.resume(campaign_id),
        steps.pause_organization,
        steps.resume_organization,
        steps.stop_all,
        steps.resume_all,
        steps.resume_all,
        lambda: steps.report_subscription(good=True),
        lambda: steps.report_subscription(good=chance.random() < 0.8),
        steps.report_wallet,
        lambda: steps.report_wallet(frozen=chance.random() < 0.3, depleted=chance.random() < 0.3),
    ]
    try:
        await chance.choice(calls)()
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
            raise


async def stored_state(connection: "Connection[Record]", campaign_id: str) -> str:
    row = await connection.fetchrow(
        "SELECT state, pause_reason FROM campaigns WHERE campaign_id = $1", campaign_id
    )
    assert row is not None
    return " ".join(filter(None, row))
