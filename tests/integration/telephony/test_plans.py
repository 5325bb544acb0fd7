"""Nothing that looks for what is due walks through what is not."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import asyncpg
import pytest

from libs.lapses import Lapsed, list_lapsed
from libs.paging import ChangeKey
from services.telephony.domain.changes import ChangeFilter
from services.telephony.domain.values import DueSearch, WantedState, Work
from services.telephony.storage import due, provisions, subaccounts
from services.telephony.storage.changes import list_changes
from services.telephony.storage.overview import count_all
from services.telephony.storage.sending import Sender, read_scopes
from tests.support.databases import ServiceDatabase
from tests.support.rows_read import rows_read

ROWS = 8_000
# More often than PostgreSQL tries before it keeps a plan for good.
EXECUTIONS = 8
LIMIT, DUE, FEW = 10, 3, 50
LAST_SEEN = {"never": (0, False), "empty": (0, True), "few": (100, True), "many": (ROWS, True)}
FILL = [
    """
    INSERT INTO organizations (
        organization_id, subscription_revision, subscription_state, subscription_good_standing,
        subscription_good_until, reevaluate_time
    )
    SELECT 'org-' || number, 1, 'ACTIVE', true, due_time, due_time
    FROM generate_series($1::int, $2::int) AS number,
        LATERAL (SELECT now() + $3::interval + number * interval '1 ms' AS due_time) AS times
    """,
    # As wanted, each second one suspended; a tenth of them has failed before.
    """
    INSERT INTO subaccounts (
        account_sid, organization_id, brand_id, wanted, observed, told, last_error, attempt_count,
        next_attempt_time, claim_number, create_time, urgent, aftermath_begin_time,
        aftermath_due_time, aftermath_attempt_count, aftermath_ended_call_count,
        aftermath_canceled_message_count, aftermath_found_call_count, aftermath_message_refused,
        aftermath_error
    )
    SELECT 'AC' || lpad(to_hex(number), 32, '0'), 'org-' || number, '', state, state, state, '',
        CASE WHEN number % 20 > 1 THEN 0 ELSE 1 END, due_time, 1, now(), false, begin_time,
        CASE WHEN is_suspended THEN due_time END, zero, zero, zero, zero,
        CASE WHEN is_suspended THEN false END, CASE WHEN is_suspended THEN '' END
    FROM generate_series($1::int, $2::int) AS number,
        LATERAL (
            SELECT number % 2 = 1 AS is_suspended,
                now() + $3::interval + number * interval '1 ms' AS due_time
        ) AS kinds,
        LATERAL (
            SELECT CASE WHEN is_suspended THEN 'SUSPENDED' ELSE 'ACTIVE' END AS state,
                CASE WHEN is_suspended THEN now() END AS begin_time,
                CASE WHEN is_suspended THEN 0 END AS zero
        ) AS states
    """,
    """
    INSERT INTO provisions (
        organization_id, reference_id, brand_id, friendly_name, tag, double_account_sids,
        last_error, attempt_count, due_time, claim_number, create_time
    )
    SELECT 'org-' || number, 'ref-1', '', 'Acme', 'tag-' || number, '{}', '', 0,
        now() + $3::interval + number * interval '1 ms', 0, now()
    FROM generate_series($1::int, $2::int) AS number
    """,
    """
    INSERT INTO subaccount_changes (
        organization_id, account_sid, observed_from, observed_to, cause, actor, note, error,
        create_time
    )
    SELECT 'org-' || number, 'AC' || lpad(to_hex(number), 32, '0'), 'UNKNOWN', 'ACTIVE', 'TWILIO',
        '', '', '', now() + $3::interval - number * interval '1 ms'
    FROM generate_series($1::int, $2::int) AS number
    """,
]
# Suspensions that are wanted and wait for their next attempt.
MAKE_URGENT = """
UPDATE subaccounts SET wanted = 'SUSPENDED', urgent = true, drift_time = now()
WHERE observed = 'ACTIVE' AND next_attempt_time > now()
"""


async def search(role: Any, work: Work) -> object:
    return await due.list_due(role, DueSearch(work, ["org-of-nobody"], LIMIT))


async def changes(role: Any, **which: Any) -> object:
    return await list_changes(role, ChangeFilter(**which), ChangeKey(), LIMIT)


READS: dict[str, tuple[str, Callable[[Any], Awaitable[object]]]] = {
    "suspensions": ("subaccounts", partial(search, work=Work.SUSPENSION)),
    "aftermaths": ("subaccounts", partial(search, work=Work.AFTERMATH)),
    "all else": ("subaccounts", partial(search, work=Work.REST)),
    "lapsed": ("organizations", lambda role: list_lapsed(role, Lapsed(), LIMIT)),
    "provisions": ("provisions", lambda role: provisions.list_due(role, LIMIT)),
    "who sends": ("subaccounts", lambda role: read_scopes(role, [Sender("org-7", "")])),
    "what follows": (
        "subaccounts",
        lambda role: subaccounts.list_wanted_otherwise(role, {"org-7": WantedState.SUSPENDED}),
    ),
    "who waits": ("subaccounts", lambda role: due.list_waiting(role, {f"AC{7:032x}": 0})),
    "the newest": ("subaccount_changes", changes),
    "an organization": ("subaccount_changes", partial(changes, organization_id="org-7")),
    "a subaccount": ("subaccount_changes", partial(changes, account_sid=f"AC{7:032x}")),
}


@pytest.fixture
async def superuser(database: ServiceDatabase) -> AsyncIterator[Any]:
    """Whoever fills the tables; nobody but a test counts them."""
    connection = await asyncpg.connect(database.superuser_url)
    for table in ("organizations", "subaccounts", "provisions", "subaccount_changes"):
        await connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
    yield connection
    await connection.close()


async def fill(superuser: Any, first: int, last: int, due_in: str) -> None:
    for statement in FILL:
        text = statement.replace("$3::interval", f"interval '{due_in}'")
        await superuser.execute(text, first, last)


@pytest.mark.parametrize("urgent", [False, True], ids=["calm", "all to be suspended"])
@pytest.mark.parametrize("last_seen", LAST_SEEN)
async def test_no_list_walks_through_what_is_not_due(
    superuser: Any, database: ServiceDatabase, last_seen: str, *, urgent: bool
) -> None:
    seen_count, is_counted = LAST_SEEN[last_seen]
    await fill(superuser, 1, seen_count, "1 hour")
    if is_counted:
        await superuser.execute("ANALYZE")
    await fill(superuser, seen_count + 1, ROWS, "1 hour")
    if urgent:
        await superuser.execute(MAKE_URGENT)
    await fill(superuser, ROWS + 1, ROWS + DUE, "-1 hour")
    role = await asyncpg.connect(database.url)
    for name, (table, read) in READS.items():
        for _ in range(EXECUTIONS):
            assert await rows_read(superuser, role, table, read) <= FEW, name
    await role.close()


async def test_what_is_counted_for_operators_is_all_that_is_read(
    superuser: Any, database: ServiceDatabase
) -> None:
    await fill(superuser, 1, ROWS, "1 hour")
    await superuser.execute("ANALYZE")
    await superuser.execute(f"{MAKE_URGENT} AND account_sid < 'AC{LIMIT:032x}'")
    role = await asyncpg.connect(database.url)

    async def count(role: Any) -> object:
        async with role.transaction():
            return await count_all(role)

    for _ in range(EXECUTIONS):
        for table in ("subaccounts", "organizations"):
            assert await rows_read(superuser, role, table, count) <= FEW, table
    await role.close()
