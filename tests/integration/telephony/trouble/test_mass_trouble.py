"""Trouble with all of Twilio is one state and one line, and costs no subaccount anything."""

import asyncpg
import pytest
from pydantic import SecretStr

from dev.simulators.faults import Cut, Fault, Hang, Load, Refusal, Unavailable
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from services.telephony.app import build
from tests.integration.telephony.conftest import telephony_settings
from tests.integration.telephony.steps import ONE, SUSPENDED, THREE, TWO, many_sids, observed_name
from tests.integration.telephony.trouble.conftest import PATIENT
from tests.integration.telephony.trouble.steps import (
    FEW_CALLS,
    TroubleSteps,
    changes_logged,
    settle,
)
from tests.support.databases import ServiceDatabase
from tests.support.level_steps import ORGANIZATION
from tests.support.services import running
from tests.support.stack import TWILIO_SID

OTHER = "org-2"
LOOK_NOW = "UPDATE subaccounts SET next_attempt_time = now() WHERE organization_id = $1"
COUNT = 50
SIDS = many_sids(2 * COUNT)
TO_SUSPEND, TO_ACTIVATE = SIDS[:COUNT], SIDS[COUNT:]


@pytest.fixture
async def a_hundred(
    steps: TroubleSteps, database: ServiceDatabase, twilio: TwilioSimulator
) -> TroubleSteps:
    """Half of them active, half of them suspended, as is wanted."""
    await steps.make_good()
    await steps.make_good(OTHER)
    await steps.suspend(OTHER)
    await settle(database, twilio, TO_SUSPEND, ORGANIZATION, AccountStatus.ACTIVE)
    await settle(database, twilio, TO_ACTIVATE, OTHER, AccountStatus.SUSPENDED)
    return steps


async def want_all_otherwise(steps: TroubleSteps) -> None:
    await steps.reactivate(OTHER)
    await steps.report_wallet(frozen=True)


async def reach_all_otherwise(steps: TroubleSteps) -> None:
    await steps.reach_all("SUSPENDED", COUNT, ORGANIZATION)
    await steps.reach_all("ACTIVE", COUNT, OTHER)
    await steps.reach_at_twilio(AccountStatus.SUSPENDED, TO_SUSPEND)
    await steps.reach_at_twilio(AccountStatus.ACTIVE, TO_ACTIVATE)


@pytest.mark.long
@pytest.mark.parametrize("fault", [Unavailable(), Hang()], ids=repr)
async def test_a_twilio_that_is_down_costs_few_calls_and_one_line_and_all_goes_on_by_itself(
    a_hundred: TroubleSteps, twilio: TwilioSimulator, fault: Fault
) -> None:
    steps = a_hundred
    twilio.fail(fault)
    with changes_logged() as changes, steps.counting_calls() as calls:
        await want_all_otherwise(steps)
        await steps.reach_state("UNAVAILABLE")
        await steps.reach_probes(3)
        assert "TWILIO_UNAVAILABLE" in await steps.sending_blockers()
    assert changes == ["OK>UNAVAILABLE"]
    assert len(calls) <= FEW_CALLS
    found = await steps.list_all()
    assert sum(each.attempt_count for each in found) <= FEW_CALLS
    assert max(each.attempt_count for each in found) <= 2

    with changes_logged() as changes:
        await recover_suspensions_first(steps)
    assert changes == ["UNAVAILABLE>OK"]
    assert (await steps.health()).probe_count == 0


async def recover_suspensions_first(steps: TroubleSteps) -> None:
    """All but one of the slots are theirs."""
    # A call takes longer than a claim, so that slots are what is waited for.
    steps.twilio.set_load(Load(milliseconds=60))
    steps.twilio.heal()
    with steps.counting_calls() as calls:
        await reach_all_otherwise(steps)
    asked = [each.status_asked for each in calls if each.status_asked]
    last = max(number for number, status in enumerate(asked) if status == "suspended")
    assert asked[:last].count("active") < COUNT / 2


async def test_a_parent_that_is_suspended_is_one_state_and_what_is_to_be_suspended_waits(
    a_hundred: TroubleSteps, twilio: TwilioSimulator
) -> None:
    steps = a_hundred
    twilio.set_status(TWILIO_SID, AccountStatus.SUSPENDED)
    with changes_logged() as changes, steps.counting_calls() as calls:
        await steps.report_wallet(frozen=True)
        await steps.reach_state("PARENT_SUSPENDED")
        await steps.reach_probes(5)
    assert changes == ["OK>PARENT_SUSPENDED"]
    assert len(calls) <= FEW_CALLS
    await steps.reach_no_attempts()
    assert {each.last_error for each in await steps.list_all()} == {""}
    # Below a suspended parent all look suspended; none is.
    assert len(await steps.list_all(drifted=True)) == COUNT
    assert "PARENT_SUSPENDED" in await steps.sending_blockers()

    twilio.set_status(TWILIO_SID, AccountStatus.ACTIVE)
    await steps.reach_at_twilio(AccountStatus.SUSPENDED, TO_SUSPEND)
    assert await steps.state() == "OK"


async def test_what_only_looks_suspended_below_its_parent_is_suspended_when_that_is_not(
    steps: TroubleSteps, twilio: TwilioSimulator
) -> None:
    twilio.set_status(TWILIO_SID, AccountStatus.SUSPENDED)
    await steps.register(ONE)
    await steps.reach_state("PARENT_SUSPENDED")
    assert observed_name((await steps.get(ONE)).observed) == "UNKNOWN"
    await steps.report_wallet(frozen=True)
    twilio.set_status(TWILIO_SID, AccountStatus.ACTIVE)
    await steps.reach_at_twilio(AccountStatus.SUSPENDED, [ONE])


@pytest.mark.long
async def test_what_is_to_be_suspended_in_trouble_is_called_for_first_when_it_is_over(
    a_hundred: TroubleSteps, twilio: TwilioSimulator
) -> None:
    steps = a_hundred
    twilio.fail(Unavailable())
    await steps.reactivate(OTHER)
    await steps.reach_state("UNAVAILABLE")
    # A call that had begun before that was known has ended by then.
    await steps.reach_probes(1)
    with steps.counting_calls() as calls:
        await steps.report_wallet(frozen=True)
        await steps.reach_probes((await steps.health()).probe_count + 3)
    assert calls == []

    await recover_suspensions_first(steps)


async def test_refused_credentials_blame_nobody_and_others_take_over(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    account_sids = many_sids(20)
    wrong = telephony_settings(
        database, twilio, **PATIENT, twilio_auth_token=SecretStr("a wrong token")
    )
    async with running(await build(wrong)) as channel:
        steps = TroubleSteps(channel, twilio)
        await steps.make_good()
        await settle(database, twilio, account_sids, ORGANIZATION, AccountStatus.ACTIVE)
        await steps.report_wallet(frozen=True)
        await steps.reach_state("CREDENTIALS_REFUSED")
        await steps.reach_probes(3)
        await steps.reach_no_attempts()
        assert "20003" in (await steps.health()).error
        assert len(steps.calls) <= FEW_CALLS
    right = telephony_settings(database, twilio, **PATIENT)
    async with running(await build(right)) as channel:
        steps = TroubleSteps(channel, twilio)
        await steps.reach_at_twilio(AccountStatus.SUSPENDED, account_sids)
        assert await steps.state() == "OK"


async def test_a_parent_that_is_told_by_20003_is_asked_for(
    steps: TroubleSteps, twilio: TwilioSimulator
) -> None:
    await steps.let_send(ONE)
    twilio.fail(Refusal("20003", 401), ONE)
    twilio.set_status(TWILIO_SID, AccountStatus.SUSPENDED)
    await steps.report_wallet(frozen=True)
    await steps.reach_state("PARENT_SUSPENDED")
    await steps.reach_no_attempts()
    found = await steps.get(ONE)
    assert (found.last_error, found.drifted) == ("", True)

    twilio.heal()
    twilio.set_status(TWILIO_SID, AccountStatus.ACTIVE)
    await steps.reach(SUSPENDED, ONE)


async def test_20003_of_one_subaccount_is_its_own(
    steps: TroubleSteps, twilio: TwilioSimulator
) -> None:
    await steps.let_send(ONE, TWO)
    twilio.fail(Refusal("20003", 401), ONE)
    with changes_logged() as changes:
        await steps.report_wallet(frozen=True)
        await steps.reach(SUSPENDED, TWO)
        await steps.reach_attempts(ONE, 3)
        assert await steps.state() == "OK"
    assert changes == []
    assert "20003" in (await steps.get(ONE)).last_error
    # It was asked whose refusal that was.
    assert steps.probes


async def test_some_subaccounts_that_fail_are_no_trouble_of_others(
    steps: TroubleSteps, twilio: TwilioSimulator
) -> None:
    await steps.let_send(ONE, TWO, THREE)
    for account_sid in (ONE, TWO):
        twilio.fail(Cut(), account_sid)
    with changes_logged() as changes:
        await steps.report_wallet(frozen=True)
        await steps.reach_attempts(ONE, 4)
        await steps.reach_attempts(TWO, 4)
        await steps.reach(SUSPENDED, THREE)
    assert changes == []
    # It was asked whether others would fail as well.
    assert steps.probes


async def test_nine_that_cannot_be_changed_and_some_that_cannot_be_seen_are_no_trouble_of_others(
    steps: TroubleSteps, database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    not_changed, not_seen = SIDS[:9], SIDS[9:12]
    await steps.make_good()
    await steps.make_good(OTHER)
    await settle(database, twilio, not_changed, ORGANIZATION, AccountStatus.ACTIVE)
    await settle(database, twilio, not_seen, OTHER, AccountStatus.ACTIVE)
    for account_sid in (*not_changed, *not_seen):
        twilio.fail(Unavailable(), account_sid)
    with changes_logged() as changes:
        await steps.report_wallet(frozen=True)
        connection = await asyncpg.connect(database.superuser_url)
        await connection.execute(LOOK_NOW, OTHER)
        await connection.close()
        for account_sid in (*not_changed, *not_seen):
            await steps.reach_attempts(account_sid, 3)
    assert changes == []
