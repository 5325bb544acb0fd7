"""Which index PostgreSQL takes, whatever it believes of the tables."""

import dataclasses
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import pytest

from services.wallet.app import READ_PLANNING, WRITE_PATH_PLANNING
from services.wallet.domain.filters import EntryFilter, WalletFilter
from services.wallet.domain.values import FreezeReason, HoldState
from services.wallet.storage.entries import FIND_BY_REFERENCES, FIND_BY_REFERENCES_OF_ONE
from services.wallet.storage.history import find_entry_at, list_entries
from services.wallet.storage.holds import NEWEST, Place, list_holds
from services.wallet.storage.overview import count_wallets
from services.wallet.storage.proofs import next_organization, read_chunk
from services.wallet.storage.wallets import list_wallets
from tests.support.databases import ServiceDatabase
from tests.support.rows_read import rows_read

HOT, HOT_ENTRIES = "org-hot", 100_000
# More often than PostgreSQL tries before it keeps a plan for good.
EXECUTIONS = 8

WALLETS = """
INSERT INTO wallets (organization_id, currency_code, create_time, update_time)
SELECT organization_id, 'USD', now(), now() FROM unnest($1::text[]) AS organization_id
"""
ENTRIES = """
INSERT INTO entries
SELECT organization_id, number, 1, number, 0, 0, now() + number * interval '1 ms', 'TOP_UP', 'USD',
    'ref-' || number, 0, NULL, NULL, NULL, NULL, '', '', NULL, '\\x00'
FROM unnest($1::text[]) AS organization_id CROSS JOIN generate_series(1, $2::bigint) AS number
"""
REFERENCES = "ARRAY['ref-5', 'ref-70000', 'ref-none']"
LOOK_UPS = (
    (f"(text, text[]) AS {FIND_BY_REFERENCES_OF_ONE}", f"('{HOT}', {REFERENCES})"),
    (
        f"(text[], text[]) AS {FIND_BY_REFERENCES}",
        f"(ARRAY['{HOT}', '{HOT}', 'org-1'], {REFERENCES})",
    ),
)
# What the planner has seen before the hot wallet came: wallets, and entries of each.
LAST_SEEN = {"nothing": (0, 0), "one wallet": (1, 3), "many alike": (500, 20)}


@pytest.fixture
async def engine(database: ServiceDatabase) -> AsyncIterator[Any]:
    """A connection as the engine has it."""
    connection = await asyncpg.connect(database.url, server_settings=dict(WRITE_PATH_PLANNING))
    yield connection
    await connection.close()


async def fill(superuser: Any, last_seen: str) -> None:
    """Write a hot wallet that the planner has not heard of."""
    wallet_count, entry_count = LAST_SEEN[last_seen]
    organizations = [f"org-{number}" for number in range(wallet_count)]
    await superuser.execute("ALTER TABLE entries SET (autovacuum_enabled = off)")
    await superuser.execute(WALLETS, [*organizations, HOT])
    await superuser.execute(ENTRIES, organizations, entry_count)
    await superuser.execute("ANALYZE")
    await superuser.execute(ENTRIES, [HOT], HOT_ENTRIES)


async def plans(connection: Any, prepared: str, values: str) -> AsyncIterator[str]:
    """Return the plans that a prepared statement has, one time after the other."""
    await connection.execute(f"PREPARE sent {prepared}")
    for _ in range(EXECUTIONS):
        rows = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS) EXECUTE sent {values}")
        yield "\n".join(row[0] for row in rows)
    await connection.execute("DEALLOCATE sent")


@pytest.mark.parametrize("last_seen", LAST_SEEN)
async def test_a_reference_is_looked_up_by_its_own_index(
    superuser: Any, engine: Any, last_seen: str
) -> None:
    await fill(superuser, last_seen)
    for planning in ("force_custom_plan", "force_generic_plan", "auto"):
        await engine.execute(f"SET plan_cache_mode = {planning}")
        for prepared, values in LOOK_UPS:
            async for plan in plans(engine, prepared, values):
                assert "entries_reference_once" in plan, plan
                assert "entries_pkey" not in plan, plan


def wanted(**filters: Any) -> EntryFilter:
    """Return a filter over the hot wallet."""
    unset = EntryFilter(HOT, None, None, None, "", "", "")
    return dataclasses.replace(unset, **filters)


LONG_AGO, NOW = datetime(2000, 1, 1, tzinfo=UTC), datetime.now(UTC)
READS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "the entry at a time": lambda role: find_entry_at(role, HOT, NOW + timedelta(seconds=50)),
    "the newest": lambda role: list_entries(role, wanted(), None, 50),
    "a page": lambda role: list_entries(role, wanted(), 70_000, 50),
    "a span": lambda role: list_entries(
        role, wanted(start_time=LONG_AGO, end_time=NOW + timedelta(seconds=50)), None, 50
    ),
    "a reference": lambda role: list_entries(role, wanted(reference_id="ref-5"), None, 50),
    "a freeze": lambda role: list_entries(role, wanted(reference_id="dispute"), None, 50),
    "a payment": lambda role: list_entries(role, wanted(payment_id="stripe:pi_1"), None, 50),
    "an actor": lambda role: list_entries(role, wanted(actor="anna"), None, 50),
    "a chunk to prove": lambda role: read_chunk(role, HOT, 50_000, 500),
    "the next organization": lambda role: next_organization(role, "org-a"),
}
ENTRIES_READ_MAX = 1_100


@pytest.mark.parametrize("last_seen", LAST_SEEN)
async def test_no_answer_walks_through_a_hot_wallet(
    superuser: Any, database: ServiceDatabase, last_seen: str
) -> None:
    await fill(superuser, last_seen)
    role = await asyncpg.connect(database.url, server_settings=dict(READ_PLANNING))
    for name, read in READS.items():
        for _ in range(EXECUTIONS):
            assert await rows_read(superuser, role, "entries", read) <= ENTRIES_READ_MAX, name
    await role.close()


HOLDS = """
INSERT INTO holds
SELECT organization_id, 'hold-' || number, 1, 0, 1,
    CASE WHEN number <= 3 THEN 'RELEASED' WHEN number % 2 = 0 THEN 'EXPIRED' ELSE 'CAPTURED' END,
    now(), '', NULL, now() + number * interval '1 ms', now()
FROM unnest($1::text[]) AS organization_id CROSS JOIN generate_series(1, $2::bigint) AS number
"""
# A page of each state.
HOLDS_READ_MAX = 51 * len(HoldState)


@pytest.mark.parametrize("last_seen", LAST_SEEN)
async def test_holds_are_read_no_further_than_a_page(
    superuser: Any, database: ServiceDatabase, last_seen: str
) -> None:
    wallet_count, hold_count = LAST_SEEN[last_seen]
    organizations = [f"org-{number}" for number in range(wallet_count)]
    await superuser.execute("ALTER TABLE holds SET (autovacuum_enabled = off)")
    await superuser.execute(WALLETS, [*organizations, HOT])
    await superuser.execute(HOLDS, organizations, hold_count)
    await superuser.execute("ANALYZE")
    await superuser.execute(HOLDS, [HOT], HOT_ENTRIES)
    role = await asyncpg.connect(database.url)
    middle = Place(datetime.now(UTC) + timedelta(seconds=50), "hold-50000")
    for states in (list(HoldState), *([state] for state in HoldState)):
        for place in (NEWEST, middle):
            read = partial(list_holds, organization_id=HOT, states=states, before=place, limit=51)
            for _ in range(EXECUTIONS):
                assert await rows_read(superuser, role, "holds", read) <= HOLDS_READ_MAX
    await role.close()


STANDING = """
INSERT INTO wallets (
    organization_id, currency_code, create_time, update_time, depleted, freezes
)
SELECT 'org-' || number, 'USD', now(), now(), number % 1000 = 1,
    CASE WHEN number % 1000 = 2 THEN $1::jsonb ELSE '[]' END
FROM generate_series(1, $2::int) AS number
"""
A_FREEZE = '[{"reason": "OPERATOR", "create_time": "2026-01-01T00:00:00+00:00"}]'
WALLETS_COUNTED = 2 * 20


@pytest.mark.parametrize("is_counted", [False, True], ids=["never counted", "counted"])
async def test_what_is_counted_for_operators_is_all_that_is_read(
    superuser: Any, database: ServiceDatabase, *, is_counted: bool
) -> None:
    await superuser.execute(STANDING, A_FREEZE, 20_000)
    if is_counted:
        await superuser.execute("VACUUM ANALYZE wallets")
    role = await asyncpg.connect(database.url)

    async def count(role: Any) -> object:
        async with role.transaction():
            return await count_wallets(role)

    for _ in range(EXECUTIONS):
        # Frozen ones twice: once for their reasons; and the oldest of each.
        assert await rows_read(superuser, role, "wallets", count) <= WALLETS_COUNTED + 20 + 1
    await role.close()


GONE = '[{"reason": "SUBSCRIPTION_INACTIVE", "create_time": "2026-01-01T00:00:00+00:00"}]'
GRAVE = """
[{"reason": "INTEGRITY", "reference_id": "", "note": "", "actor": "",
  "create_time": "2026-01-01T00:00:00+00:00"}]
"""
FROZEN_FOR_EVER = """
INSERT INTO wallets (
    organization_id, currency_code, create_time, update_time, depleted, freezes
)
SELECT 'org-' || number, 'USD', now(), now(), false,
    CASE WHEN number % 1000 = 2 THEN $1::jsonb ELSE $2::jsonb END
FROM generate_series(1, $3::int) AS number
"""


async def test_a_grave_freeze_is_found_among_those_of_all_who_have_gone(
    superuser: Any, database: ServiceDatabase
) -> None:
    await superuser.execute(FROZEN_FOR_EVER, GRAVE, GONE, 20_000)
    await superuser.execute("VACUUM ANALYZE wallets")
    role = await asyncpg.connect(database.url)
    await role.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    wanted = WalletFilter(None, None, None, FreezeReason.INTEGRITY, None)
    list_graves = partial(list_wallets, wanted=wanted, after="", limit=51)
    assert await rows_read(superuser, role, "wallets", list_graves) <= 51
    await role.close()
