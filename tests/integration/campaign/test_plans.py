"""No list of changes, and no settling, walks through all that there is."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import asyncpg
import pytest
from asyncpg import Connection, Record

from libs.lapses import Lapsed, list_lapsed
from libs.levels import SubscriptionLevel, SubscriptionState, WalletLevel
from libs.paging import ChangeKey
from services.campaign.domain.changes import ChangeCause, ChangeFilter, Origin
from services.campaign.domain.settling import Step
from services.campaign.domain.values import Organization
from services.campaign.storage.campaigns import settle_all
from services.campaign.storage.changes import list_changes
from services.campaign.storage.organizations import (
    Unsettled,
    list_unsettled,
)
from services.campaign.storage.overview import count_all
from tests.support.databases import ServiceDatabase
from tests.support.level_steps import FAR_FUTURE
from tests.support.rows_read import rows_read

ROWS = 8_000
# More often than PostgreSQL tries before it keeps a plan for good.
EXECUTIONS = 8
ROWS_READ_MAX = 500
FEW = 20
# Of each kind, what a filter asks for are the first ten: the oldest, and last in every list.
FILL = """
INSERT INTO organizations (
    organization_id, subscription_revision, subscription_state, subscription_good_standing,
    subscription_good_until, reevaluate_time
)
SELECT 'org-' || number, 1, 'ACTIVE', true, '2999-01-01Z', '2999-01-01Z'
FROM generate_series(1, $1::int) AS number
"""
FILL_CAMPAIGNS = """
INSERT INTO campaigns (
    campaign_id, organization_id, brand_id, name, state, create_time, update_time
)
SELECT 'c-' || number, 'org-' || number, 'brand-1', '', 'RUNNING', now(), now()
FROM generate_series(1, $1::int) AS number
"""
FILL_CHANGES = """
INSERT INTO campaign_changes (
    organization_id, campaign_id, to_state, cause, actor, note, create_time
)
SELECT 'org-' || kind, 'c-' || kind, 'DRAFT', CASE kind WHEN 1 THEN 'WALLET' ELSE 'COMMAND' END,
    CASE kind WHEN 1 THEN 'ann' ELSE '' END, '',
    '2026-01-01Z'::timestamptz + number * interval '1 s'
FROM generate_series(1, $1::int) AS number,
    LATERAL (SELECT CASE WHEN number <= 10 THEN 1 ELSE 2 END AS kind) AS kinds
"""


def wanted(**filters: Any) -> ChangeFilter:
    unset = {"organization_id": "", "campaign_id": "", "cause": None, "actor": ""}
    return ChangeFilter(**{**unset, "start_time": None, "end_time": None, **filters})


async def changes(role: Any, **filters: Any) -> list[Any]:
    return [*await list_changes(role, wanted(**filters), ChangeKey(), 50)]


READS: dict[str, tuple[str, int, Callable[[Any], Awaitable[list[Any]]]]] = {
    "the newest": ("campaign_changes", 50, changes),
    "an organization": (
        "campaign_changes",
        10,
        lambda role: changes(role, organization_id="org-1"),
    ),
    "a campaign": ("campaign_changes", 10, lambda role: changes(role, campaign_id="c-1")),
    "an actor": ("campaign_changes", 10, lambda role: changes(role, actor="ann")),
    "a cause": ("campaign_changes", 10, lambda role: changes(role, cause=ChangeCause.WALLET)),
    "a span": (
        "campaign_changes",
        9,
        lambda role: changes(role, end_time=datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC)),
    ),
    "lapsed": ("organizations", 0, lambda role: list_lapsed(role, Lapsed(), 200)),
    "unsettled": ("organizations", 0, lambda role: list_unsettled(role, Unsettled(), 200)),
}


@pytest.fixture(params=["never counted", "counted"])
async def role(
    request: pytest.FixtureRequest, database: ServiceDatabase, connection: "Connection[Record]"
) -> AsyncIterator[Any]:
    """A connection as the service has it, to large tables."""
    await connection.execute(FILL, ROWS)
    await connection.execute(FILL_CAMPAIGNS, ROWS)
    await connection.execute(FILL_CHANGES, ROWS)
    if request.param == "counted":
        await connection.execute("ANALYZE")
    role = await asyncpg.connect(database.url)
    yield role
    await role.close()


async def test_no_list_walks_through_all_that_there_is(
    role: Any, connection: "Connection[Record]"
) -> None:
    for name, (table, count, read) in READS.items():
        for _ in range(EXECUTIONS):
            assert await rows_read(connection, role, table, read) <= ROWS_READ_MAX, name
        assert len(await read(role)) == count, name


@pytest.mark.parametrize("count", [1, 20, 200])
async def test_settling_looks_at_the_campaigns_of_its_organizations_only(
    role: Any, connection: "Connection[Record]", count: int
) -> None:
    unknown = Organization("")
    eligible = Organization(
        "",
        subscription=SubscriptionLevel(
            1, SubscriptionState.ACTIVE, good_standing=True, good_until=FAR_FUTURE
        ),
        wallet=WalletLevel(
            1,
            frozen=False,
            freeze_reasons=(),
            depleted=False,
            depleted_since=None,
            owing_micros=0,
            currency_code="USD",
        ),
    )
    for number in range(EXECUTIONS):
        settle = partial(settle_some, standing=eligible if number % 2 else unknown, count=count)
        # Each is found and changed, and looked up for its line, some by two indexes; and what was
        # changed before may still be in an index.
        assert await rows_read(connection, role, "campaigns", settle) <= 50 * count


async def settle_some(role: Any, standing: Organization, count: int) -> None:
    steps = [
        Step(
            replace(standing, organization_id=f"org-{number}"),
            datetime.now(UTC),
            Origin(ChangeCause.SUBSCRIPTION),
        )
        for number in range(1, count + 1)
    ]
    moved = await settle_all(role, steps)
    assert moved.paused_count + moved.resumed_count == count


PAUSE_SOME = """
UPDATE campaigns SET state = 'PAUSED', pause_reason = 'WALLET_FROZEN', pause_time = now()
WHERE campaign_id <> ALL ($1::text[])
"""
PAUSE_ONE = """
UPDATE organizations
SET organization_pause_note = '', organization_pause_actor = '', organization_pause_time = now()
WHERE organization_id = 'org-1'
"""


async def test_what_is_counted_for_operators_is_all_that_is_read(
    role: Any, connection: "Connection[Record]"
) -> None:
    await connection.execute("UPDATE campaigns SET state = 'DRAFT'")
    await connection.execute(PAUSE_SOME, [f"c-{number}" for number in range(8, ROWS + 1)])
    await connection.execute(PAUSE_ONE)
    # What was there before them, and is not any more, would be read as well.
    await connection.execute("VACUUM campaigns, organizations")

    async def count(role: Any) -> object:
        async with role.transaction():
            return await count_all(role)

    for _ in range(EXECUTIONS):
        assert await rows_read(connection, role, "campaigns", count) <= FEW
        assert await rows_read(connection, role, "organizations", count) <= 1
