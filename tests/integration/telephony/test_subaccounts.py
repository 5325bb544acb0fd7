"""Registering, reading and listing subaccounts, and who may send."""

import grpc
import pytest

from dev.simulators.faults import Refusal
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from tests.integration.telephony.steps import (
    ACTIVE,
    ONE,
    SUSPENDED,
    THREE,
    TWO,
    Sight,
    TelephonySteps,
    many_sids,
)
from tests.support.errors import refusal
from tests.support.level_steps import ORGANIZATION
from tests.support.stack import TWILIO_SID
from tests.support.waiting import eventually
from tollgate.telephony.v1 import subaccount_pb2
from tollgate.telephony.v1.telephony_service_pb2 import ListSubaccountsRequest

MIXED_CASE = f"AC{'aB' * 16}"


async def test_registering_again_changes_nothing(steps: TelephonySteps) -> None:
    await steps.register(ONE, brand_id="brand-1")
    await steps.make_good()
    await steps.reach(ACTIVE)
    again = await steps.register(ONE, brand_id="brand-1")
    assert again == await steps.get()


async def test_another_organizations_subaccount_is_refused(steps: TelephonySteps) -> None:
    await steps.register(ONE)
    found = await refusal(steps.register(ONE, "org-2"))
    assert (found.code, found.reason) == (grpc.StatusCode.ALREADY_EXISTS, "ALREADY_LINKED")
    assert ORGANIZATION not in str(found.metadata)


async def test_another_brand_is_a_conflict(steps: TelephonySteps) -> None:
    await steps.register(ONE, brand_id="brand-1")
    found = await refusal(steps.register(ONE, brand_id="brand-2"))
    assert (found.code, found.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REFERENCE_CONFLICT")
    assert found.metadata["differingFields"] == "brand_id"


@pytest.mark.parametrize(
    "account_sid",
    [TWILIO_SID, "", "AC123", f"AC{'g' * 32}", f"SK{'1' * 32}", f"{ONE}\n", f"AC{'1' * 33}"],
)
async def test_what_is_no_subaccount_is_refused(steps: TelephonySteps, account_sid: str) -> None:
    found = await refusal(steps.register(account_sid))
    assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    assert found.fields == ["account_sid"]


async def test_one_account_is_one_subaccount_however_its_sid_is_spelled(
    steps: TelephonySteps,
) -> None:
    registered = await steps.register(MIXED_CASE)
    assert registered.account_sid == f"AC{'ab' * 16}"
    assert (await steps.get(MIXED_CASE)).account_sid == registered.account_sid
    assert (await refusal(steps.register(MIXED_CASE, "org-2"))).reason == "ALREADY_LINKED"


async def test_an_unknown_subaccount_is_not_found(steps: TelephonySteps) -> None:
    found = await refusal(steps.get(ONE))
    assert (found.code, found.reason) == (grpc.StatusCode.NOT_FOUND, "SUBACCOUNT_NOT_FOUND")


async def test_an_unknown_organization_may_not_send_and_can_be_blocked(
    steps: TelephonySteps,
) -> None:
    assert await steps.sending_blockers() == ["LEVELS_MISSING", "SUBACCOUNT_MISSING"]
    assert await steps.reactivate() == []
    assert await steps.suspend() == []
    await steps.make_good()
    await steps.register(ONE)
    await steps.reach(SUSPENDED)


async def test_who_may_send(steps: TelephonySteps, twilio: TwilioSimulator) -> None:
    await steps.make_good()
    assert await steps.sending_blockers() == ["SUBACCOUNT_MISSING"]
    await steps.register(ONE, brand_id="brand-1")
    await steps.reach(ACTIVE)
    assert await steps.sending_blockers() == []
    assert await steps.sending_blockers(brand_id="brand-2") == ["SUBACCOUNT_MISSING"]

    twilio.set_status(TWO, AccountStatus.SUSPENDED)
    twilio.fail(Refusal("21478", 400), TWO)
    await steps.register(TWO, brand_id="brand-2")
    assert await steps.sending_blockers() == ["SUBACCOUNT_NOT_ACTIVE"]
    assert await steps.sending_blockers(brand_id="brand-1") == []
    assert await steps.sending_blockers(brand_id="brand-2") == ["SUBACCOUNT_NOT_ACTIVE"]

    await steps.report_subscription(good=False)
    assert "SUBSCRIPTION_INACTIVE" in await steps.sending_blockers(brand_id="brand-1")


async def test_a_closed_subaccount_does_not_count(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    twilio.set_status(ONE, AccountStatus.CLOSED)
    await steps.make_good()
    await steps.register(ONE)
    await steps.reach(Sight("ACTIVE", "CLOSED", "closed", settled=True))
    assert await steps.sending_blockers() == ["SUBACCOUNT_MISSING"]
    await steps.register(TWO)
    await steps.reach(ACTIVE, TWO)
    assert await steps.sending_blockers() == []


async def test_every_filter_finds_what_it_names(
    steps: TelephonySteps, twilio: TwilioSimulator
) -> None:
    twilio.fail(Refusal("20404", 404), TWO)
    await steps.make_good()
    await steps.register(ONE, brand_id="brand-1")
    await steps.register(TWO, brand_id="brand-2")
    await steps.register(THREE, "org-2", "brand-1")
    await steps.reach(ACTIVE, ONE)
    await steps.reach(Sight("UNSPECIFIED", "ACTIVE", "active", settled=True), THREE)
    await eventually(lambda: steps.get(TWO), lambda seen: bool(seen.last_error))
    active = subaccount_pb2.OBSERVED_STATE_ACTIVE
    expected = [
        (ListSubaccountsRequest(), [ONE, TWO, THREE]),
        (ListSubaccountsRequest(organization_id="org-1"), [ONE, TWO]),
        (ListSubaccountsRequest(brand_id="brand-1"), [ONE, THREE]),
        (ListSubaccountsRequest(drifted=True), [TWO]),
        (ListSubaccountsRequest(drifted=False), [ONE, THREE]),
        (ListSubaccountsRequest(failing=True), [TWO]),
        (ListSubaccountsRequest(failing=False), [ONE, THREE]),
        (ListSubaccountsRequest(wanted=subaccount_pb2.WANTED_STATE_ACTIVE), [ONE, TWO]),
        (ListSubaccountsRequest(wanted=subaccount_pb2.WANTED_STATE_SUSPENDED), []),
        (ListSubaccountsRequest(observed=active), [ONE, THREE]),
        (ListSubaccountsRequest(levels_missing=True), [THREE]),
        (ListSubaccountsRequest(levels_missing=False, observed=active), [ONE]),
    ]
    for request, account_sids in expected:
        assert await steps.list_sids(request) == account_sids, request


async def test_pages_hold_everything_once(steps: TelephonySteps) -> None:
    account_sids = many_sids(7)
    for account_sid in reversed(account_sids):
        await steps.register(account_sid)
    seen: list[str] = []
    request = ListSubaccountsRequest(organization_id=ORGANIZATION, page_size=3)
    while request.page_token or not seen:
        answer = await steps.telephony.ListSubaccounts(request)
        seen += [each.account_sid for each in answer.subaccounts]
        request.page_token = answer.next_page_token
    assert seen == account_sids


async def test_a_token_that_was_made_up_is_refused(steps: TelephonySteps) -> None:
    request = ListSubaccountsRequest(page_token="made up")
    assert (await refusal(steps.list_sids(request))).fields == ["page_token"]
