"""Whatever becomes of a list or a create, one account is registered and no other is active."""

import asyncio
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from dev.simulators.faults import (
    Cut,
    Fault,
    Hang,
    Latency,
    LostAnswer,
    Refusal,
    TooManyRequests,
    Unavailable,
)
from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from libs.errors import DomainError
from services.telephony.app import build
from services.telephony.domain.provisioning import Wish
from services.telephony.domain.values import Standing, SubaccountFilter
from tests.integration.telephony.conftest import Parts, telephony_settings
from tests.integration.telephony.levels import make_good
from tests.integration.telephony.provisioning.steps import (
    CREATE,
    LIST,
    PATIENCE_SECONDS,
    ProvisionSteps,
    made_at,
)
from tests.integration.telephony.steps import ACTIVE
from tests.support.databases import ServiceDatabase
from tests.support.errors import refusal
from tests.support.level_steps import ORGANIZATION
from tests.support.services import running
from tests.support.waiting import eventually

WISH = Wish(ORGANIZATION, "ref-1", "acme", "Acme Ltd")
FAULTS: list[tuple[Fault, str]] = [
    (Unavailable(), "PROVIDER_UNAVAILABLE"),
    (TooManyRequests(), "PROVIDER_UNAVAILABLE"),
    (Hang(), "PROVIDER_UNAVAILABLE"),
    (Cut(), "PROVIDER_UNAVAILABLE"),
    (Refusal("20500", 500), "PROVIDER_UNAVAILABLE"),
    (Refusal("20003", 401), "INVALID_STATE"),
    (Refusal("21480", 400), "INVALID_STATE"),
]
# Longer than a call may take, and than what comes after it until the next create.
LATE_MILLISECONDS = 1_500


@pytest.mark.parametrize("operation", [LIST, CREATE])
@pytest.mark.parametrize(("fault", "reason"), FAULTS, ids=repr)
async def test_a_fault_is_told_and_got_over(
    steps: ProvisionSteps, twilio: TwilioSimulator, fault: Fault, reason: str, operation: str
) -> None:
    await steps.make_good()
    twilio.fail(fault, operation=operation)
    assert (await refusal(steps.ask())).reason == reason
    assert await steps.list_sids() == []
    twilio.heal()
    [account_sid] = await steps.registered()
    assert await steps.made() == account_sid
    assert list(await steps.at_twilio()) == [account_sid]
    await steps.reach(ACTIVE, account_sid)


async def test_what_nobody_asks_for_again_is_made_once_twilio_is_back(
    steps: ProvisionSteps, twilio: TwilioSimulator
) -> None:
    await steps.make_good()
    twilio.fail(Unavailable())
    await refusal(steps.ask())
    asked = len(twilio.requests)
    await twilio.wait_for_requests(asked + 5)
    assert steps.count_asked(CREATE) == 0
    twilio.heal()
    [account_sid] = await steps.registered()
    await steps.reach(ACTIVE, account_sid)
    assert list(await steps.at_twilio()) == [account_sid]


async def test_an_account_whose_answer_was_lost_is_found_and_no_other_is_made(
    steps: ProvisionSteps, twilio: TwilioSimulator
) -> None:
    await steps.make_good()
    twilio.fail(LostAnswer(), operation=CREATE, times=1)
    account_sid = await steps.made()
    assert steps.count_asked(CREATE) == 1
    assert list(await steps.at_twilio()) == [account_sid]


async def test_no_create_is_sent_while_another_may_take_effect(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    settings = telephony_settings(database, twilio, twilio_recheck_seconds=60.0)
    twilio.fail(Latency(LATE_MILLISECONDS), operation=CREATE)
    async with running(await build(settings)) as channel:
        steps = ProvisionSteps(channel, twilio)
        await steps.make_good()
        account_sid = await steps.made()
    assert steps.count_asked(CREATE) == 1
    assert list(await steps.at_twilio()) == [account_sid]


async def test_what_is_made_long_after_it_was_given_up_is_suspended_and_told_of(
    steps: ProvisionSteps, twilio: TwilioSimulator
) -> None:
    await steps.make_good()
    twilio.fail(Latency(LATE_MILLISECONDS), operation=CREATE, times=1)
    with capture_logs() as logs:
        account_sid = await steps.made()
        told = await eventually(
            steps.ask, lambda answer: bool(answer.double_account_sids), PATIENCE_SECONDS
        )
        [double_sid] = told.double_account_sids
        await steps.reach(ACTIVE, account_sid)

        async def at_twilio() -> AccountStatus:
            return twilio.status(double_sid)

        await eventually(at_twilio, lambda status: status is AccountStatus.SUSPENDED)
    assert set(await steps.at_twilio()) == {account_sid, double_sid}
    assert await steps.list_sids() == [account_sid]
    [told_of] = [each for each in logs if each["event"] == "account_made_twice"]
    assert (told_of["double_sid"], told_of["log_level"]) == (double_sid, "error")


async def test_a_double_is_suspended_whatever_twilio_does_first(
    steps: ProvisionSteps, twilio: TwilioSimulator
) -> None:
    await steps.make_good()
    twilio.fail(Latency(LATE_MILLISECONDS), operation=CREATE, times=1)
    account_sid = await steps.made()
    twilio.fail(LostAnswer(), operation="update_account", times=1)
    twilio.fail(Unavailable(), operation="update_account", times=2)

    async def active() -> list[str]:
        return list(await steps.at_twilio("active"))

    await eventually(steps.at_twilio, lambda made: len(made) == 2, PATIENCE_SECONDS)
    await eventually(active, lambda left: left == [account_sid], PATIENCE_SECONDS)


async def test_an_account_that_was_registered_for_somebody_else_meanwhile_is_left_to_them(
    parts: Parts, twilio: TwilioSimulator
) -> None:
    await make_good(parts.organizations, ORGANIZATION)
    twilio.fail(LostAnswer(), operation=CREATE, times=1)
    asking = asyncio.create_task(parts.provisioning.provision(WISH))
    await eventually(parts.creation.carry_on, bool)
    with pytest.raises(DomainError):
        await asking
    [taken] = await made_at(twilio)
    await parts.subaccounts.register("org-2", "", taken)

    async def registered() -> Sequence[Standing]:
        await parts.creation.carry_on()
        which = SubaccountFilter(organization_id=ORGANIZATION)
        return (await parts.subaccounts.list_page(which, 0, "")).items

    [standing] = await eventually(registered, bool)
    assert set(await made_at(twilio)) == {taken, standing.subaccount.account_sid}
