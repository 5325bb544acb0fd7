"""What nobody waits for: bodies given up in time, counts, and alarms."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from libs.database import Database
from services.billing_gateway.domain.observations import (
    ComponentObserved,
)
from services.billing_gateway.domain.values import (
    Component,
    ComponentKind,
    ComponentState,
    PaymentObject,
    Provider,
)
from services.billing_gateway.operations.retention import ROWS_PER_STEP, Retention
from services.billing_gateway.operations.watching import Watching
from tests.conftest import MakeDatabase
from tests.integration.billing_gateway.requests import (
    execute,
    reaches,
)
from tests.support.databases import ServiceDatabase
from tests.support.stack import Stack, now

DAY = 86_400


@pytest.fixture
async def service_database(make_database: MakeDatabase) -> ServiceDatabase:
    """The gateway's, without a gateway."""
    return await make_database("billing_gateway")


@pytest.fixture
async def database(service_database: ServiceDatabase) -> AsyncIterator[Database]:
    """The gateway's way to it."""
    database = await Database.connect(SecretStr(service_database.url), 2, "test")
    yield database
    await database.close()


# An event of each state, received and settled so many days ago.
INSERT_OLD = """
INSERT INTO webhook_events (provider, event_id, event_type, body, state, receive_time, settle_time)
SELECT 'STRIPE', state || '-' || received || '-' || coalesce(settled::text, 'unknown'), 'told',
    'body', state, now() - make_interval(days => received), now() - make_interval(days => settled)
FROM unnest(ARRAY['RECEIVED', 'DONE', 'IGNORED', 'PARKED', 'DEAD']) AS state,
    (VALUES (100, 99), (100, 10), (100, NULL), (80, 80)) AS times (received, settled)
"""
LIST_WITHOUT_BODY = "SELECT event_id FROM webhook_events WHERE body IS NULL ORDER BY event_id"


async def test_only_what_was_settled_long_ago_loses_its_body(
    service_database: ServiceDatabase, database: Database
) -> None:
    await execute(service_database, INSERT_OLD)

    assert await Retention(database, 90 * DAY).give_up_some() is False

    connection = await asyncpg.connect(service_database.url)
    given_up = [row["event_id"] for row in await connection.fetch(LIST_WITHOUT_BODY)]
    await connection.close()
    assert given_up == ["DONE-100-99", "DONE-100-unknown", "IGNORED-100-99", "IGNORED-100-unknown"]


INSERT_MANY_OLD = """
INSERT INTO webhook_events (provider, event_id, event_type, body, state, receive_time)
SELECT 'STRIPE', 'evt_' || number, 'told', 'body', 'DONE', now() - interval '1 day'
FROM generate_series(0, LAST) AS number
"""


async def test_bodies_are_given_up_a_few_at_a_time(
    service_database: ServiceDatabase, database: Database
) -> None:
    await execute(
        service_database,
        INSERT_MANY_OLD.replace("LAST", str(ROWS_PER_STEP)),
    )
    retention = Retention(database, 3600)
    assert [await retention.give_up_some() for _ in range(2)] == [True, False]


INSERT_TRANSMISSIONS = """
INSERT INTO transmissions
SELECT 'PAYPAL', hours || '-' || number, sha256('body'), now() + make_interval(hours => hours)
FROM unnest(ARRAY[1, -23, -25]) AS hours, generate_series(0, LAST) AS number
"""
COUNT_BY_AGE = """
SELECT split_part(transmission_id, '-', -2), count(*) FROM transmissions GROUP BY 1 ORDER BY 1
"""


async def test_only_transmissions_that_cannot_return_are_forgotten_a_few_at_a_time(
    service_database: ServiceDatabase, database: Database
) -> None:
    await execute(service_database, INSERT_TRANSMISSIONS.replace("LAST", str(ROWS_PER_STEP)))
    retention = Retention(database, 3600)
    assert [await retention.give_up_some() for _ in range(2)] == [True, False]

    connection = await asyncpg.connect(service_database.url)
    left = await connection.fetch(COUNT_BY_AGE)
    await connection.close()
    count = ROWS_PER_STEP + 1
    assert [tuple(row) for row in left] == [("1", count), ("23", count)]


async def test_what_is_parked_too_long_is_logged_as_an_error(
    service_database: ServiceDatabase, database: Database
) -> None:
    await execute(service_database, INSERT_OLD)
    watching = Watching(database, 90 * DAY)

    with capture_logs() as logs:
        await watching.watch()

    [line] = [each for each in logs if each["log_level"] == "error"]
    assert line["event"] == "events_parked_too_long"
    assert sorted(line["event_ids"]) == ["PARKED-100-10", "PARKED-100-99", "PARKED-100-unknown"]


def component(kind: ComponentKind, state: ComponentState, due: timedelta) -> ComponentObserved:
    return ComponentObserved(
        objects=(PaymentObject("CAPTURE1", 0),),
        component=Component(
            component_id=f"{kind}-1",
            kind=kind,
            state=state,
            amount_micros=1_000_000,
            currency_code="USD",
            provider_time=now(),
            rank=0,
            money_due_time=now() + due if kind is ComponentKind.DISPUTE else None,
        ),
    )


@pytest.mark.parametrize(
    ("due", "told"), [(timedelta(hours=-1), ["dispute_without_its_money"]), (timedelta(days=1), [])]
)
async def test_a_lost_dispute_whose_money_does_not_follow_is_logged_as_an_error(
    fake_stack: Stack, due: timedelta, told: list[str]
) -> None:
    database = await Database.connect(
        SecretStr(fake_stack.databases["billing_gateway"].url), 1, "test"
    )
    watching = Watching(database, DAY)

    async def alarms() -> list[str]:
        """Each once: the gateway itself may watch at the same moment."""
        with capture_logs() as logs:
            await watching.watch()
        return sorted({each["event"] for each in logs if each["log_level"] == "error"})

    ended = component(ComponentKind.DISPUTE, ComponentState.ENDED, due)
    await fake_stack.deliver_fake(Provider.PAYPAL, "WH-1", ended)
    await reaches(fake_stack, DONE=1)
    assert await alarms() == told
    reversed_ = component(ComponentKind.REVERSAL, ComponentState.SUCCEEDED, due)
    await fake_stack.deliver_fake(Provider.PAYPAL, "WH-2", reversed_)
    await reaches(fake_stack, DONE=2)
    assert await alarms() == []
    await database.close()
