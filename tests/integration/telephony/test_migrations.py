"""Subaccounts from before they had a history, sweeps and an aftermath stand right after these."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from libs.migrations import migrate
from services.telephony.domain.aftermath import begin_aftermath
from services.telephony.domain.values import ObservedState, Subaccount
from services.telephony.storage import subaccounts
from tests.support.databases import REPOSITORY, ServiceDatabase, ServiceDatabases

MIGRATIONS = REPOSITORY / "services" / "telephony" / "migrations"
BEFORE = ("0001_subaccounts.sql", "0002_wallet_owing.sql")
# What was wanted, how it stood, and as what it was left.
STOOD = [
    ("ACTIVE", "ACTIVE", "as wanted"),
    ("SUSPENDED", "SUSPENDED", "as wanted"),
    (None, "ACTIVE", "as wanted"),
    (None, "UNKNOWN", "new"),
    ("SUSPENDED", "UNKNOWN", "new"),
    ("ACTIVE", "UNKNOWN", "claimed"),
    ("SUSPENDED", "UNKNOWN", "claimed"),
    ("ACTIVE", "SUSPENDED", "failing"),
    ("SUSPENDED", "ACTIVE", "failing"),
    ("SUSPENDED", "SUSPENDED", "looked at again"),
    ("ACTIVE", "CLOSED", "closed"),
    ("SUSPENDED", "CLOSED", "closed"),
]
DUE = {
    "as wanted": False,
    "new": True,
    "claimed": True,
    "failing": True,
    "looked at again": True,
    "closed": None,
}
HELD_BEFORE = """
INSERT INTO subaccounts (
    account_sid, organization_id, brand_id, wanted, observed, last_error, attempt_count,
    next_attempt_time, claim_number, lease_end_time, recheck_time, create_time
)
SELECT $1, 'org-1', '', $2, $3, CASE was WHEN 'failing' THEN 'refused' ELSE '' END,
    CASE WHEN was IN ('failing', 'claimed') THEN 3 ELSE 0 END,
    CASE WHEN was NOT IN ('as wanted', 'closed') THEN now() END,
    CASE was WHEN 'new' THEN 0 ELSE 7 END,
    CASE was WHEN 'claimed' THEN now() END,
    CASE was WHEN 'looked at again' THEN now() END, now()
FROM (SELECT $4::text AS was) AS was
"""
STORED = """
SELECT urgent, next_attempt_time <= now() AS is_due,
    next_attempt_time < now() + interval '1 hour' AS is_soon,
    aftermath_due_time < now() + interval '1 hour' AS is_aftermath_soon
FROM subaccounts WHERE account_sid = $1
"""
KEPT = "SELECT attempt_count, claim_number, lease_end_time, recheck_time, last_error"


# What was done by a file that is no more, where a later one does it now.
DONE_BEFORE = """
ALTER TABLE twilio_trouble RENAME COLUMN failing_account_sids TO failing_names;
INSERT INTO schema_migrations VALUES ('0007_operators_sight.sql', 'of a file that is no more');
"""
COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable, column_default
FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position
"""


def sid_of(number: int) -> str:
    return f"AC{number:032x}"


@pytest.fixture
async def database(databases: ServiceDatabases, tmp_path: Path) -> AsyncIterator[ServiceDatabase]:
    """A database as the second migration left it, with subaccounts of each kind."""
    database = await databases.clone("telephony", "template1")
    for name in BEFORE:
        shutil.copy(MIGRATIONS / name, tmp_path)
    await migrate(database.superuser_url, tmp_path)
    connection = await asyncpg.connect(database.superuser_url)
    await connection.execute("INSERT INTO organizations (organization_id) VALUES ('org-1')")
    for number, (wanted, observed, was) in enumerate(STOOD):
        await connection.execute(HELD_BEFORE, sid_of(number), wanted, observed, was)
    await connection.close()
    yield database
    await databases.drop(database)


async def test_what_stood_before_stands_as_if_it_had_been_kept_so_all_along(
    database: ServiceDatabase,
) -> None:
    connection = await asyncpg.connect(database.superuser_url)
    kept = f"{KEPT} FROM subaccounts ORDER BY account_sid"
    before = await connection.fetch(kept)

    await migrate(database.superuser_url, MIGRATIONS)

    assert await connection.fetch(kept) == before
    service: Any = await asyncpg.connect(database.url)
    found = await subaccounts.find(service, [sid_of(number) for number in range(len(STOOD))])
    for number, (wanted, observed, was) in enumerate(STOOD):
        subaccount = found[sid_of(number)]
        assert (subaccount.wanted, subaccount.observed) == (wanted, observed)
        [stored] = await connection.fetch(STORED, subaccount.account_sid)
        assert_it_is_whole(subaccount, was)
        assert stored["urgent"] is subaccount.urgent
        assert stored["is_due"] is DUE[was]
        assert stored["is_soon"] is (None if was == "closed" else True)
        assert stored["is_aftermath_soon"] is (True if subaccount.stopped else None)
        # The service can write it as it has read it.
        await subaccounts.save(service, [subaccount])
    assert await subaccounts.find(service, list(found)) == found
    await service.close()
    await connection.close()


async def test_what_was_renamed_by_a_file_that_is_no_more_ends_as_what_never_saw_it(
    databases: ServiceDatabases, tmp_path: Path
) -> None:
    found = []
    for done_before in ("SELECT", DONE_BEFORE):
        database = await databases.clone("telephony", "template1")
        for name in MIGRATIONS.glob("000[1-7]_*.sql"):
            shutil.copy(name, tmp_path)
        await migrate(database.superuser_url, tmp_path)
        connection = await asyncpg.connect(database.superuser_url)
        await connection.execute(done_before)
        await migrate(database.superuser_url, MIGRATIONS)
        found.append(await connection.fetch(COLUMNS))
        await connection.close()
        await databases.drop(database)
    assert found[0] == found[1]
    assert "failing_names" in {row["column_name"] for row in found[0]}


def assert_it_is_whole(subaccount: Subaccount, was: str) -> None:
    assert subaccount.told is subaccount.observed
    assert subaccount.is_driven is (was == "claimed")
    assert (subaccount.drift_time is not None) is subaccount.drifted
    assert (subaccount.failing_time is not None) is (was == "failing")
    assert (subaccount.next_attempt_time is None) is (subaccount.observed is ObservedState.CLOSED)
    aftermath = subaccount.aftermath
    assert (aftermath is not None) is subaccount.stopped
    if aftermath:
        begun = begin_aftermath(aftermath.begin_time)
        assert aftermath == replace(begun, due_time=aftermath.due_time)
