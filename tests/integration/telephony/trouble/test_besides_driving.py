"""Who ends calls after suspensions, and who makes accounts, hears and tells of trouble."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from dev.simulators.faults import Cut, Hang, Latency, Unavailable
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from dev.simulators.twilio.calls import CallStatus
from services.telephony.config import TelephonySettings
from tests.integration.telephony.conftest import telephony_settings
from tests.integration.telephony.provisioning.steps import CREATE, LIST, made_at
from tests.integration.telephony.steps import ONE, SUSPENDED, many_sids
from tests.integration.telephony.trouble.conftest import PATIENT
from tests.integration.telephony.trouble.steps import (
    FEW_CALLS,
    PATIENCE_SECONDS,
    TroubleSteps,
    changes_logged,
    settle,
)
from tests.support.databases import ServiceDatabase
from tests.support.level_steps import ORGANIZATION
from tests.support.waiting import eventually

COUNT = 40
SIDS = many_sids(COUNT)

FOLLOW_ALL = (
    "UPDATE subaccounts SET aftermath_due_time = now() WHERE aftermath_due_time IS NOT NULL"
)
CLAIMED = "SELECT count(*) FROM subaccounts WHERE lease_end_time IS NOT NULL"
INTEND = """
INSERT INTO provisions (
    organization_id, reference_id, brand_id, friendly_name, tag, double_account_sids, last_error,
    attempt_count, due_time, claim_number, create_time
)
SELECT $1, 'ref-' || number, '', 'Acme Ltd', lpad(number::text, 16, '0'), '{}', '', 0, now(), 0,
    now()
FROM generate_series(1, $2) AS number
"""
BLAMED = "SELECT count(*) FROM provisions WHERE last_error <> '' OR attempt_count > 1"
DECLARE_TROUBLE = """
UPDATE twilio_trouble
SET state = 'UNAVAILABLE', since = now(), last_error = 'said so', probe_due_time = 'infinity'
"""
DECLARE_IT_OVER = "UPDATE twilio_trouble SET state = 'OK', since = now(), last_error = ''"


@pytest.fixture
def settings(database: ServiceDatabase, twilio: TwilioSimulator) -> TelephonySettings:
    """Settings of a service that ends calls and has few slots."""
    return telephony_settings(database, twilio, **PATIENT, end_calls=True)


@asynccontextmanager
async def connected(database: ServiceDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.superuser_url)
    yield connection
    await connection.close()


async def stand_suspended(
    steps: TroubleSteps, database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    """Have forty suspended subaccounts, with a call in progress each."""
    for account_sid in SIDS:
        twilio.receive_call(account_sid, "+15550001111", "+15550002222")
    await steps.make_good()
    await steps.suspend()
    await settle(database, twilio, SIDS, ORGANIZATION, AccountStatus.SUSPENDED)


async def looks_in_vain(steps: TroubleSteps) -> int:
    return sum(each.aftermath.attempt_count for each in await steps.list_all())


async def reach_all_clear(steps: TroubleSteps, twilio: TwilioSimulator) -> None:
    async def clear_count() -> int:
        found = await steps.list_all(organization_id=ORGANIZATION)
        return sum(each.aftermath.HasField("clear_time") for each in found)

    await eventually(clear_count, lambda count: count == COUNT, PATIENCE_SECONDS)
    ended = {call.status for sid in SIDS for call in twilio.calls(sid)}
    assert ended == {CallStatus.COMPLETED}


@pytest.mark.long
async def test_twilio_down_while_only_calls_are_ended_is_one_state_and_blames_nobody(
    steps: TroubleSteps, database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    await stand_suspended(steps, database, twilio)
    twilio.fail(Hang())
    async with connected(database) as connection:
        with changes_logged() as changes, steps.counting_calls() as calls:
            await connection.execute(FOLLOW_ALL)
            await steps.reach_state("UNAVAILABLE")
            # Those that failed before that was known are written down by now.
            await eventually(lambda: connection.fetchval(CLAIMED), lambda count: count == 0)
            blamed = await looks_in_vain(steps)
            await steps.reach_probes(4)
    assert changes == ["OK>UNAVAILABLE"]
    assert len(calls) <= FEW_CALLS
    assert await looks_in_vain(steps) == blamed <= FEW_CALLS

    twilio.heal()
    with changes_logged() as changes:
        await reach_all_clear(steps, twilio)
    assert changes == ["UNAVAILABLE>OK"]


@pytest.mark.long
async def test_calls_that_twilio_cannot_tell_of_are_no_trouble_with_accounts(
    steps: TroubleSteps, database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    await stand_suspended(steps, database, twilio)
    await steps.make_good("org-2")
    await steps.register(ONE, "org-2")
    twilio.fail(Unavailable(), operation="list_call")
    with changes_logged() as changes:
        async with connected(database) as connection:
            await connection.execute(FOLLOW_ALL)
        await eventually(
            lambda: looks_in_vain(steps), lambda count: count > 2 * COUNT, PATIENCE_SECONDS
        )
        await steps.report_wallet(frozen=True, organization_id="org-2")
        await steps.reach(SUSPENDED)
    assert changes == []
    assert steps.probes
    assert "503" in (await steps.get(SIDS[0])).aftermath.last_error
    twilio.heal()
    await reach_all_clear(steps, twilio)


@pytest.mark.long
async def test_twilio_down_while_only_accounts_are_made_is_one_state_and_blames_nobody(
    steps: TroubleSteps, database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    await steps.make_good()
    twilio.fail(Cut())
    async with connected(database) as connection:
        with changes_logged() as changes, steps.counting_calls() as calls:
            await connection.execute(INTEND, ORGANIZATION, COUNT)
            await steps.reach_state("UNAVAILABLE")
            await steps.reach_probes(4)
            # Those that failed before it was known to be all of Twilio's.
            assert await connection.fetchval(BLAMED) <= 3
    assert changes == ["OK>UNAVAILABLE"]
    assert len(calls) <= FEW_CALLS

    twilio.heal()
    with changes_logged() as changes:
        await eventually(steps.list_all, lambda made: len(made) == COUNT, PATIENCE_SECONDS)
    assert changes == ["UNAVAILABLE>OK"]
    assert len(await made_at(twilio)) == COUNT
    assert (await steps.health()).probe_count == 0


async def test_trouble_that_comes_up_before_a_create_keeps_it_from_being_sent(
    steps: TroubleSteps, database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    await steps.make_good()
    twilio.fail(Latency(500), operation=LIST)
    async with connected(database) as connection:
        await connection.execute(INTEND, ORGANIZATION, 1)
        await twilio.wait_for_requests(1)
        assert await connection.fetchval("SELECT attempt_count FROM provisions") == 1
        await connection.execute(DECLARE_TROUBLE)
        await eventually(
            lambda: connection.fetchval("SELECT attempt_count FROM provisions"),
            lambda attempt_count: attempt_count == 0,
        )
        assert [each.operation for each in twilio.requests] == [LIST]
        await connection.execute(DECLARE_IT_OVER)
    await eventually(steps.list_all, lambda made: len(made) == 1)
    assert [each.operation for each in twilio.requests].count(CREATE) == 1


async def test_trouble_that_comes_up_ends_the_ending_of_calls(
    steps: TroubleSteps, database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    def asked() -> int:
        return sum(each.operation == "update_call" for each in twilio.requests)

    async def asked_now() -> int:
        return asked()

    await steps.let_send(ONE)
    for _ in range(15):
        twilio.receive_call(ONE, "+15550001111", "+15550002222")
    twilio.fail(Latency(200), operation="update_call")
    async with connected(database) as connection:
        await steps.report_wallet(frozen=True)
        await eventually(asked_now, lambda count: count > 0)
        await connection.execute(DECLARE_TROUBLE)
        await eventually(
            lambda: connection.fetchval("SELECT lease_end_time FROM subaccounts"),
            lambda lease: lease is None,
        )
        assert asked() < 15
        twilio.heal()
        await connection.execute(DECLARE_IT_OVER)
    found = await eventually(
        lambda: steps.get(ONE), lambda seen: seen.aftermath.HasField("clear_time")
    )
    assert found.aftermath.ended_call_count == 15
