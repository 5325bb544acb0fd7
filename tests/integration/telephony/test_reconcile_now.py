"""ReconcileSubaccounts: Twilio is asked now, whatever it was last heard to say, and waited for."""

import pytest

from dev.simulators.faults import Hang, Latency, Refusal
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from tests.integration.telephony.steps import (
    ACTIVE,
    ONE,
    SUSPENDED,
    THREE,
    TWO,
    TelephonySteps,
    observed_name,
)
from tests.support.level_steps import ORGANIZATION
from tollgate.telephony.v1 import subaccount_pb2, telephony_service_pb2


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


async def test_closed_ones_and_unknown_organizations_are_not_waited_for(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    await steps.let_send(ONE, TWO)
    twilio.set_status(ONE, AccountStatus.CLOSED)
    await reconcile(steps)
    asked = len(twilio.requests)
    one, two = await reconcile(steps)
    assert observed_name(one.observed) == "CLOSED"
    assert [each.sid for each in twilio.requests[asked:]] == [TWO]
    assert observed_name(two.observed) == "ACTIVE"
    assert await reconcile(steps, "org-of-nobody") == []
    await steps.reach(ACTIVE, TWO)
