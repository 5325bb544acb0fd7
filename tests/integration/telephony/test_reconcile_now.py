"""ReconcileSubaccounts: Twilio is asked now, whatever it was last heard to say, and waited for."""

import asyncio

import asyncpg
import pytest

from dev.simulators.faults import Hang, Latency, Refusal
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from libs.database import Database
from services.telephony.config import TelephonySettings
from services.telephony.operations.reconciling import ReconcileOperations
from services.telephony.storage.subaccounts import ANSWERED_MAX
from tests.integration.telephony.conftest import Parts
from tests.integration.telephony.steps import (
    ACTIVE,
    ONE,
    SUSPENDED,
    THREE,
    TWO,
    TelephonySteps,
    many_sids,
    observed_name,
)
from tests.support.databases import ServiceDatabase
from tests.support.level_steps import ORGANIZATION
from tests.support.waiting import eventually
from tollgate.telephony.v1 import subaccount_pb2, telephony_service_pb2

NOT_DUE = "UPDATE subaccounts SET next_attempt_time = now() + interval '1 hour'"
DUE_COUNT = "SELECT count(*) FROM subaccounts WHERE next_attempt_time <= now()"


async def reconcile(
    steps: TelephonySteps, organization_id: str = ORGANIZATION
) -> list[subaccount_pb2.Subaccount]:
    request = telephony_service_pb2.ReconcileSubaccountsRequest(organization_id=organization_id)
    return list((await steps.telephony.ReconcileSubaccounts(request)).subaccounts)


async def test_what_was_changed_behind_our_back_is_found_and_mended_at_once(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    await steps.let_send(ONE, TWO, THREE)
    await steps.report_wallet(frozen=True)
    await steps.reach(SUSPENDED, ONE, TWO, THREE)
    asked = len(twilio.requests)
    twilio.set_status(TWO, AccountStatus.ACTIVE)
    answered = await reconcile(steps)
    assert [each.account_sid for each in answered] == [ONE, TWO, THREE]
    assert {observed_name(each.observed) for each in answered} == {"SUSPENDED"}
    assert twilio.status(TWO) is AccountStatus.SUSPENDED
    assert {each.sid for each in twilio.requests[asked:]} == {ONE, TWO, THREE}


async def test_what_is_as_wanted_is_looked_at_all_the_same(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    await steps.let_send(ONE)
    before = (await steps.get()).observe_time.ToDatetime()
    [answered] = await reconcile(steps)
    assert answered.observe_time.ToDatetime() > before
    assert [each.method for each in twilio.requests].count("POST") == 0


async def test_a_call_that_is_under_way_is_waited_for_and_twilio_asked_again(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    await steps.let_send(ONE)
    asked = len(twilio.requests)
    twilio.fail(Latency(200), ONE, times=1)
    await steps.report_wallet(frozen=True)
    await twilio.wait_for_requests(asked + 1)
    [answered] = await reconcile(steps)
    assert observed_name(answered.observed) == "SUSPENDED"
    assert len(twilio.requests) >= asked + 2


@pytest.mark.parametrize("fault", [Hang(), Refusal("20404", 404)], ids=repr)
async def test_one_in_vain_is_told_with_the_others(
    steps: TelephonySteps, twilio: TwilioSimulator, fault: Hang | Refusal
) -> None:
    await steps.let_send(ONE, TWO)
    twilio.fail(fault, TWO)
    one, two = await reconcile(steps)
    assert (one.last_error, bool(two.last_error)) == ("", True)


async def test_nobody_waits_for_unknown_organizations(steps: TelephonySteps) -> None:
    assert await reconcile(steps, "org-of-nobody") == []


async def test_what_was_wrongly_taken_for_closed_comes_back(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    await steps.let_send(ONE, TWO)
    twilio.set_status(ONE, AccountStatus.CLOSED)
    for _ in range(2):
        asked = len(twilio.requests)
        one, two = await reconcile(steps)
        assert observed_name(one.observed) == "CLOSED"
        assert not one.HasField("next_attempt_time")
        assert observed_name(two.observed) == "ACTIVE"
        assert sorted(each.sid for each in twilio.requests[asked:]) == [ONE, TWO]
    twilio.set_status(ONE, AccountStatus.SUSPENDED)
    await reconcile(steps)
    await steps.reach(ACTIVE, ONE, TWO)
    lines = [change.line for change in await steps.list_changes(account_sid=ONE)]
    assert "DRIFT ACTIVE>ACTIVE CLOSED>SUSPENDED" in lines


@pytest.mark.parametrize("fault", [Hang(), Refusal("20404", 404)], ids=repr)
async def test_a_closed_one_that_is_looked_at_in_vain_stays_so_and_fails_for_nobody(
    steps: TelephonySteps, twilio: TwilioSimulator, fault: Hang | Refusal
) -> None:
    await steps.let_send(ONE)
    twilio.set_status(ONE, AccountStatus.CLOSED)
    [before] = await reconcile(steps)
    twilio.fail(fault, ONE)
    assert await reconcile(steps) == [before]
    await steps.report_wallet(frozen=True)
    after = await steps.get()
    assert (observed_name(after.observed), after.last_error) == ("CLOSED", "")
    assert not after.HasField("next_attempt_time")


async def test_all_are_made_due_however_many_there_are(
    parts: Parts, settings: TelephonySettings, database: ServiceDatabase
) -> None:
    for account_sid in many_sids(ANSWERED_MAX + 1):
        await parts.subaccounts.register(ORGANIZATION, "", account_sid)
    connection = await asyncpg.connect(database.superuser_url)
    await connection.execute(NOT_DUE)
    connected = await Database.connect(settings.database_url, 1, "telephony")
    operations = ReconcileOperations(connected, settings.suspension_policy, lambda: None, 5.0)
    asked = asyncio.create_task(operations.reconcile(ORGANIZATION))

    async def due_count() -> int:
        return int(await connection.fetchval(DUE_COUNT))

    await eventually(due_count, lambda count: count == ANSWERED_MAX + 1)
    # As if somebody had driven them.
    await connection.execute(f"{NOT_DUE}, driving_claim_number = 1, claim_number = 1")
    assert len(await asked) == ANSWERED_MAX
    await connected.close()
    await connection.close()
