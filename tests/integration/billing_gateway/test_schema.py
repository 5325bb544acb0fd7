"""The schema keeps what it was told before, and defends it against the service's own role."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from dev.postgres import EmbeddedPostgres
from libs.migrations import migrate
from tests.conftest import MakeDatabase
from tests.support.databases import REPOSITORY, ServiceDatabases

MIGRATIONS = REPOSITORY / "services" / "billing_gateway" / "migrations"

TOLD_BEFORE = """
INSERT INTO organizations VALUES
    ('good', 7, 'ACTIVE', true, '2026-02-02Z'), ('bad', 8, 'PAST_DUE', false, NULL),
    ('linked', 0, NULL, NULL, NULL);
INSERT INTO subscriptions VALUES
    ('STRIPE', 'sub_1', 'good', '', 'link', 'cus_1', 'ACTIVE', 'pro',
        '2026-02-01Z', '2026-01-01Z', 1, 'evt_1'),
    ('STRIPE', 'sub_2', 'bad', '', '', 'cus_2', 'PAST_DUE', NULL, NULL, '2026-01-02Z', 2, 'evt_2'),
    ('STRIPE', 'sub_3', 'linked', 'cus_3', '', '', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO payments VALUES
    ('STRIPE', 'stripe:pi_1', 'good', '', '', 'USD', 5, 5, NULL, now(), 3, '{evt_3}', now()),
    ('STRIPE', 'stripe:in_1', 'good', 'sub_1', 'pro', 'USD', 9, 0, NULL, now(), 1, '{evt}', now());
INSERT INTO webhook_events (provider, event_id, event_type, body, state)
    VALUES ('STRIPE', 'evt_5', 'any', '{}', 'PARKED');
"""

LEVELS = """
SELECT organization_id, revision, state, good_standing, good_until FROM organizations
ORDER BY organization_id
"""
PAYMENTS = """
SELECT payment_id, organization_id, paid_micros, credited_micros, revision, event_ids
FROM payments ORDER BY payment_id
"""
FACTS = """
SELECT subscription_id, source_id, kind, state, plan_id, customer_id, period_end_time, rank
FROM subscription_facts ORDER BY subscription_id
"""
# Whose level ends by time alone.
IN_TIME = "SELECT array_agg(organization_id) FROM organizations WHERE reevaluate_time = good_until"


@pytest.fixture
async def empty_database(
    postgres: EmbeddedPostgres,
    databases: ServiceDatabases,  # makes the roles that migrations grant to
) -> AsyncIterator[str]:
    """A database without a schema."""
    server = await asyncpg.connect(postgres.superuser_url())
    await server.execute("CREATE DATABASE test_gateway_migration")
    yield postgres.superuser_url("test_gateway_migration")
    await server.execute("DROP DATABASE test_gateway_migration WITH (FORCE)")
    await server.close()


async def test_what_was_told_before_stands_with_its_revisions(
    empty_database: str, tmp_path: Path
) -> None:
    shutil.copy(MIGRATIONS / "0001_gateway.sql", tmp_path)
    await migrate(empty_database, tmp_path)
    connection = await asyncpg.connect(empty_database)
    await connection.execute(TOLD_BEFORE)
    before = [await connection.fetch(query) for query in (LEVELS, PAYMENTS)]

    await migrate(empty_database, MIGRATIONS)

    assert [await connection.fetch(query) for query in (LEVELS, PAYMENTS)] == before
    assert await connection.fetchval(IN_TIME) == ["good"]
    assert await connection.fetchval("SELECT bool_and(state = 'PAID') FROM payments")
    objects = await connection.fetch("SELECT object_id, payment_id FROM payment_objects")
    [active, past_due] = [tuple(row) for row in await connection.fetch(FACTS)]
    await connection.close()
    named = {row["object_id"]: row["payment_id"] for row in objects}
    assert named == {"in_1": "stripe:in_1", "pi_1": "stripe:pi_1"}
    assert active[:6] == ("sub_1", "evt_1", "STATE", "ACTIVE", "pro", "cus_1")
    assert past_due == ("sub_2", "evt_2", "STATE", "PAST_DUE", "", "cus_2", None, 2)


GIVEN = """
INSERT INTO organizations (organization_id) VALUES ('org-1');
INSERT INTO subscriptions (
    provider, subscription_id, organization_id, linked_customer_id, linked_plan_id,
    learnt_customer_id
) VALUES ('PAYPAL', 'I-1', 'org-1', '', '', '');
INSERT INTO subscription_facts (
    provider, subscription_id, source_id, kind, provider_time, rank, moves_state
) VALUES ('PAYPAL', 'I-1', 'WH-1', 'PAYMENT', now(), 0, true);
INSERT INTO payments (
    provider, payment_id, organization_id, currency_code, paid_micros, credited_micros, paid_time,
    state, revision
) VALUES ('PAYPAL', 'paypal:told', 'org-1', 'USD', 5, 5, now(), 'PAID', 1);
INSERT INTO payments (provider, payment_id) VALUES ('PAYPAL', 'paypal:untold');
INSERT INTO payment_objects VALUES ('PAYPAL', 'untold', 'paypal:untold', 0);
INSERT INTO payment_components (
    provider, payment_id, component_id, kind, state, amount_micros, currency_code, rank, event_id
) VALUES ('PAYPAL', 'paypal:told', 'R-1', 'REFUND', 'SUCCEEDED', 5, 'USD', 0, 'WH-2');
INSERT INTO webhook_events (provider, event_id, event_type, body, state)
    VALUES ('PAYPAL', 'WH-1', 'any', '{}', 'PARKED');
INSERT INTO transmissions VALUES ('PAYPAL', 'T-1', sha256('{}'), now());
INSERT INTO signing_certificates VALUES ('https://a', 'pem');
"""
REFUSED = {
    "a fact edited": ("UPDATE subscription_facts SET provider_time = now()", "permission denied"),
    "a fact removed": ("DELETE FROM subscription_facts", "permission denied"),
    "a change edited": ("UPDATE subscription_changes SET note = ''", "permission denied"),
    "a change removed": ("DELETE FROM subscription_changes", "permission denied"),
    "a payment removed": ("DELETE FROM payments", "permission denied"),
    "a component removed": ("DELETE FROM payment_components", "permission denied"),
    "a checkout removed": ("DELETE FROM checkouts", "permission denied"),
    "an event removed": ("DELETE FROM webhook_events", "permission denied"),
    "a payment absorbed that was told": (
        "SELECT absorb_payment('PAYPAL', 'paypal:told', 'paypal:untold')",
        "payments_told_stay",
    ),
    "told without a credit": (
        "UPDATE payments SET credited_micros = NULL WHERE revision = 1",
        "payments_told_is_decided",
    ),
    "credited to nobody": (
        "UPDATE payments SET organization_id = NULL WHERE revision = 1",
        "payments_credited_is_owned_and_paid",
    ),
    "less than nothing reversed": (
        "UPDATE payments SET reversed_micros = -1 WHERE revision = 1",
        "payments_reversed_within_credited",
    ),
    "more at risk than is left": (
        "UPDATE payments SET reversed_micros = 3, at_risk_micros = 3 WHERE revision = 1",
        "payments_at_risk_within_rest",
    ),
    "a transmission given to another body": (
        "UPDATE transmissions SET body_sha256 = sha256('[]')",
        "permission denied",
    ),
    "a transmission given to two bodies": (
        "INSERT INTO transmissions VALUES ('PAYPAL', 'T-1', sha256('[]'), now())",
        "transmissions_pkey",
    ),
    "a transmission of no body": (
        "INSERT INTO transmissions VALUES ('PAYPAL', 'T-2', '', now())",
        "transmissions_body_is_hashed",
    ),
    "a certificate moved": ("UPDATE signing_certificates SET url = ''", "permission denied"),
    "a certificate without end": (
        "UPDATE signing_certificates SET pem = convert_to(repeat('a', 65537), 'UTF8')",
        "signing_certificates_pem_is_short",
    ),
    "a body given up too early": (
        "UPDATE webhook_events SET body = NULL",
        "webhook_events_unsettled_keep_body",
    ),
}


@pytest.fixture
async def connection(make_database: MakeDatabase) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """The service's own role in a database that knows a little of everything."""
    database = await make_database("billing_gateway")
    connection = await asyncpg.connect(database.url)
    await connection.execute(GIVEN)
    yield connection
    await connection.close()


@pytest.mark.parametrize("case", REFUSED)
async def test_the_database_refuses(connection: "asyncpg.Connection[Any]", case: str) -> None:
    statement, refusal = REFUSED[case]
    with pytest.raises(asyncpg.PostgresError) as caught:
        await connection.execute(statement)
    assert refusal in f"{caught.value} {getattr(caught.value, 'constraint_name', '')}"


async def test_two_rows_that_are_one_flow_become_one(connection: "asyncpg.Connection[Any]") -> None:
    await connection.execute("SELECT absorb_payment('PAYPAL', 'paypal:untold', 'paypal:told')")
    assert await connection.fetchval("SELECT count(*) FROM payments") == 1
    assert await connection.fetchval("SELECT payment_id FROM payment_objects") == "paypal:told"


async def test_a_fact_may_be_confirmed(connection: "asyncpg.Connection[Any]") -> None:
    confirm = "UPDATE subscription_facts SET confirmed_time = provider_time"
    assert await connection.execute(confirm) == "UPDATE 1"
