"""What happens at the same moment ends as if one had come after the other."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import grpc
from asyncpg import Connection, Record

from tests.integration.campaign.steps import CampaignSteps, state_of

ROUNDS = 1000

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


ALL_CAMPAIGNS = "SELECT campaign_id FROM campaigns"
HISTORY = """
SELECT from_state, to_state, pause_reason, create_time FROM campaign_changes
WHERE campaign_id = $1 ORDER BY sequence
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


async def test_an_organization_made_at_the_moment_of_its_first_levels_misses_none(
    steps: CampaignSteps,
) -> None:
    for number in range(100):
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

    for _ in range(150):
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
    campaign_ids = [row["campaign_id"] for row in await connection.fetch(ALL_CAMPAIGNS)]
    for campaign_id in campaign_ids:
        history = await connection.fetch(HISTORY, campaign_id)
        assert [row["from_state"] for row in history] == [
            None,
            *(row["to_state"] for row in history[:-1]),
        ]
        assert [*history] == sorted(history, key=lambda row: row["create_time"])
        last = filter(None, (history[-1]["to_state"], history[-1]["pause_reason"]))
        assert " ".join(last) == await stored_state(connection, campaign_id)


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
