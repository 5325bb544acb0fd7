"""What was done by hand is listed as it is asked for, without a walk through all of it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from libs.database import Database
from libs.errors import InvalidArgumentError
from libs.operating.operations import Operating
from libs.operating.storage import append_action, list_actions
from libs.operating.values import Act, ActionFilter
from libs.paging import ChangeKey
from tests.conftest import MakeDatabase
from tests.support.databases import ServiceDatabase
from tests.support.rows_read import rows_read

ANY = ActionFilter("", "", "", None, None)
ACTS = [
    Act("ReplayWebhookEvents", "ann", "the wallet was away", "org-1", "evt_1"),
    Act("SyncSubscription", "bob", "", "org-1"),
    Act("ReplayWebhookEvents", "", "", "", ""),
    Act("EndLongTransaction", "ann", "forgotten", reference="4711"),
]


@pytest.fixture
async def service_database(make_database: MakeDatabase) -> ServiceDatabase:
    """One with the table; each service's has it alike."""
    return await make_database("campaign")


@pytest.fixture
async def database(service_database: ServiceDatabase) -> AsyncIterator[Database]:
    """As the service has it."""
    connected = await Database.connect(SecretStr(service_database.url), 1, "test")
    yield connected
    await connected.close()


async def test_actions_are_listed_by_whom_what_and_to_whom(database: Database) -> None:
    for act in ACTS:
        await database.transact(append_action, act)
    operating = Operating(database)

    async def found(**filters: Any) -> list[Act]:
        page = await operating.list_actions(replace(ANY, **filters), 0, "")
        return [each.act for each in page.items]

    assert await found() == ACTS[::-1]
    assert await found(organization_id="org-1") == [ACTS[1], ACTS[0]]
    assert await found(actor="ann") == [ACTS[3], ACTS[0]]
    assert await found(action="ReplayWebhookEvents", organization_id="org-1") == [ACTS[0]]
    [newest] = (await operating.list_actions(ANY, 1, "")).items
    before = replace(ANY, end_time=newest.create_time)
    assert [each.act for each in (await operating.list_actions(before, 1, "")).items] == [ACTS[2]]
    since = replace(ANY, start_time=newest.create_time)
    assert [each.act for each in (await operating.list_actions(since, 9, "")).items] == [ACTS[3]]


async def test_pages_have_each_action_once(database: Database) -> None:
    for act in ACTS:
        await database.transact(append_action, act)
    operating, token, pages = Operating(database), "", []
    for _ in range(2):
        page = await operating.list_actions(ANY, 2, token)
        pages += [each.act for each in page.items]
        token = page.next_page_token
    assert pages == ACTS[::-1]
    assert token == ""
    with pytest.raises(InvalidArgumentError):
        await operating.list_actions(ANY, 2, "made up")


ROWS = 8_000
# Of each kind the first ten: the oldest, and last in every list.
FILL = """
INSERT INTO operator_actions (create_time, action, actor, note, organization_id, reference)
SELECT '2026-01-01Z'::timestamptz + number * interval '1 s', 'Act-' || kind,
    CASE kind WHEN 1 THEN 'ann' ELSE '' END, '', CASE kind WHEN 1 THEN 'org-1' ELSE '' END, ''
FROM generate_series(1, $1::int) AS number,
    LATERAL (SELECT CASE WHEN number <= 10 THEN 1 ELSE 2 END AS kind) AS kinds
"""
EXECUTIONS = 8
ROWS_READ_MAX = 200
LISTS: dict[str, tuple[int, dict[str, Any]]] = {
    "the newest": (50, {}),
    "an organization": (10, {"organization_id": "org-1"}),
    "an actor": (10, {"actor": "ann"}),
    "an action": (10, {"action": "Act-1"}),
    "a span": (9, {"end_time": datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC)}),
}


def reading(filters: dict[str, Any]) -> Callable[[Any], Awaitable[list[Any]]]:
    async def read(role: Any) -> list[Any]:
        return [*await list_actions(role, replace(ANY, **filters), ChangeKey(), 50)]

    return read


@pytest.mark.parametrize("counted", ["never counted", "counted"])
async def test_no_list_walks_through_all_that_there_is(
    service_database: ServiceDatabase, counted: str
) -> None:
    superuser = await asyncpg.connect(service_database.superuser_url)
    await superuser.execute(FILL, ROWS)
    if counted == "counted":
        await superuser.execute("ANALYZE")
    role = await asyncpg.connect(service_database.url)
    for name, (count, filters) in LISTS.items():
        for _ in range(EXECUTIONS):
            read = reading(filters)
            assert await rows_read(superuser, role, "operator_actions", read) <= ROWS_READ_MAX, name
        assert len(await read(role)) == count, name
    await role.close()
    await superuser.close()
