"""Whoever has not heard of the trouble yet does nothing that it forbids."""

import asyncpg
import pytest

from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from libs.database import Database
from services.telephony.config import TelephonySettings
from services.telephony.domain.values import DueSearch, Work
from services.telephony.storage import due, provisions
from tests.integration.telephony.conftest import Parts
from tests.integration.telephony.steps import ONE, THREE, TWO
from tests.support.databases import ServiceDatabase
from tests.support.stack import TWILIO_SID

TROUBLE = """
UPDATE twilio_trouble SET state = 'UNAVAILABLE', last_error = 'no answer', probe_due_time = now()
"""
INTENT = """
INSERT INTO provisions (
    organization_id, reference_id, brand_id, friendly_name, tag, double_account_sids, last_error,
    attempt_count, due_time, claim_number, create_time
) VALUES (
    'org-1', 'ref-1', '', 'Acme', 'tag', '{}', '', 0, '2026-01-01Z', 0, '2026-01-01Z'
)
"""


@pytest.fixture
async def due_database(parts: Parts, database: ServiceDatabase) -> ServiceDatabase:
    """A database in which something of each kind is due."""
    for account_sid, organization_id in ((ONE, "org-1"), (TWO, "org-2"), (THREE, "org-3")):
        await parts.subaccounts.register(organization_id, "", account_sid)
    await parts.organizations.block("org-2", "", "")
    await parts.reconcile()
    await parts.organizations.block("org-1", "", "")
    connection = await asyncpg.connect(database.superuser_url)
    await connection.execute("UPDATE subaccounts SET next_attempt_time = now()")
    await connection.execute(INTENT)
    await connection.close()
    return database


async def count_due(settings: TelephonySettings) -> list[int]:
    database = await Database.connect(settings.database_url, 1, "telephony")
    found = [await database.run(due.list_due, DueSearch(work, [], 10)) for work in Work]
    intents = await database.run(provisions.list_due, 10)
    await database.close()
    return [*map(len, found), len(intents)]


async def test_what_is_due_is_found_unless_twilio_is_in_trouble(
    due_database: ServiceDatabase, settings: TelephonySettings
) -> None:
    assert all(await count_due(settings))
    connection = await asyncpg.connect(due_database.superuser_url)
    await connection.execute(TROUBLE)
    await connection.close()
    assert not any(await count_due(settings))


async def test_below_a_suspended_parent_no_account_is_believed_to_be_suspended(
    parts: Parts, twilio: TwilioSimulator
) -> None:
    await parts.subaccounts.register("org-1", "", ONE)
    await parts.organizations.block("org-1", "", "")
    twilio.set_status(TWILIO_SID, AccountStatus.SUSPENDED)
    [claim] = await parts.claim(urgent=True)
    answer = await parts.driving.drive(claim)
    assert answer.failure
    assert (answer.observed, answer.failure.code) == (None, 21476)
    assert [each.operation for each in twilio.requests] == ["update_account"]
