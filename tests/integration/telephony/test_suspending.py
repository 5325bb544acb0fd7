"""What is told of an organization reaches all its subaccounts at Twilio, by itself."""

from datetime import UTC, datetime, timedelta

import pytest

from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from services.telephony.app import build
from tests.integration.telephony.conftest import telephony_settings
from tests.integration.telephony.steps import (
    ACTIVE,
    ONE,
    SUSPENDED,
    THREE,
    TWO,
    Sight,
    TelephonySteps,
)
from tests.support.databases import ServiceDatabase
from tests.support.services import running
from tests.support.waiting import eventually

HOUR_SECONDS = 3600.0


async def test_bad_news_suspends_all_and_good_news_reactivates_all(steps: TelephonySteps) -> None:
    await steps.make_good()
    await steps.register(ONE, brand_id="brand-1")
    await steps.register(TWO, brand_id="brand-2")
    await steps.reach(ACTIVE, ONE, TWO)

    await steps.report_subscription(good=False)
    await steps.register(THREE, brand_id="brand-3")
    await steps.reach(SUSPENDED, ONE, TWO, THREE)

    await steps.report_subscription(good=True)
    await steps.reach(ACTIVE, ONE, TWO, THREE)

    await steps.report_wallet(frozen=True)
    await steps.reach(SUSPENDED, ONE, TWO, THREE)

    await steps.report_wallet()
    await steps.reach(ACTIVE, ONE, TWO, THREE)


async def test_nobody_waits_for_a_poll(database: ServiceDatabase, twilio: TwilioSimulator) -> None:
    settings = telephony_settings(database, twilio, poll_interval_seconds=HOUR_SECONDS)
    async with running(await build(settings)) as channel:
        steps = TelephonySteps(channel, twilio)
        await steps.let_send(ONE)
        await steps.report_wallet(frozen=True)
        await steps.reach(SUSPENDED)
        await steps.report_wallet()
        await steps.reach(ACTIVE)


async def test_an_empty_wallet_forbids_to_send_and_suspends_nobody(steps: TelephonySteps) -> None:
    await steps.let_send(ONE)
    await steps.report_wallet(depleted=True)
    assert await steps.sending_blockers() == ["WALLET_DEPLETED"]
    assert await steps.look() == ACTIVE


async def test_a_debt_suspends_until_it_is_repaid(steps: TelephonySteps) -> None:
    await steps.let_send(ONE)
    await steps.report_wallet(owing_micros=1)
    await steps.reach(SUSPENDED)
    assert await steps.sending_blockers() == ["DEBT_OWED", "SUBACCOUNT_NOT_ACTIVE"]

    await steps.report_wallet()
    await steps.reach(ACTIVE)
    assert await steps.sending_blockers() == []


async def test_another_organization_is_left_alone(steps: TelephonySteps) -> None:
    await steps.make_good("org-2")
    await steps.register(TWO, "org-2")
    await steps.let_send(ONE)
    await steps.report_subscription(good=False)
    await steps.reach(SUSPENDED, ONE)
    await steps.reach(ACTIVE, TWO)


async def test_the_operators_block_survives_good_news_and_holds_for_what_comes_later(
    steps: TelephonySteps,
) -> None:
    await steps.let_send(ONE)
    assert await steps.suspend() == [ONE]
    assert await steps.suspend() == [ONE]
    await steps.make_good()
    await steps.register(TWO)
    await steps.reach(SUSPENDED, ONE, TWO)
    assert await steps.sending_blockers() == ["OPERATOR_BLOCK", "SUBACCOUNT_NOT_ACTIVE"]

    assert await steps.reactivate() == [ONE, TWO]
    assert await steps.reactivate() == [ONE, TWO]
    await steps.reach(ACTIVE, ONE, TWO)


async def test_lifting_the_operators_block_leaves_other_blockers(steps: TelephonySteps) -> None:
    await steps.let_send(ONE)
    await steps.suspend()
    await steps.report_wallet(frozen=True)
    await steps.reactivate()
    await steps.reach(SUSPENDED, ONE)
    assert await steps.sending_blockers() == ["WALLET_FROZEN", "SUBACCOUNT_NOT_ACTIVE"]


@pytest.mark.parametrize("status", [AccountStatus.ACTIVE, AccountStatus.SUSPENDED])
async def test_without_levels_twilio_is_only_looked_at(
    steps: TelephonySteps, twilio: TwilioSimulator, status: AccountStatus
) -> None:
    twilio.set_status(ONE, status)
    await steps.register(ONE)
    left_alone = Sight("UNSPECIFIED", status.name, status, settled=True)
    await steps.reach(left_alone, ONE)
    await steps.report_subscription(good=True)
    assert await steps.look() == left_alone
    assert {request.method for request in twilio.requests} == {"GET"}
    assert "LEVELS_MISSING" in await steps.sending_blockers()


async def test_a_lapse_suspends_with_nobody_calling(steps: TelephonySteps) -> None:
    await steps.let_send(ONE)
    await steps.report_subscription(
        good=True, until=datetime.now(UTC) + timedelta(milliseconds=300)
    )

    async def at_twilio() -> AccountStatus:
        return steps.twilio.status(ONE)

    await eventually(at_twilio, lambda status: status == AccountStatus.SUSPENDED)
    assert await steps.sending_blockers() == ["SUBSCRIPTION_INACTIVE", "SUBACCOUNT_NOT_ACTIVE"]


async def test_old_and_repeated_levels_change_nothing(steps: TelephonySteps) -> None:
    await steps.report_wallet(revision=1)
    assert await steps.report_subscription(good=False, revision=5) == 5
    assert await steps.report_subscription(good=True, revision=4) == 5
    assert await steps.report_subscription(good=False, revision=5) == 5
    await steps.register(ONE)
    await steps.reach(SUSPENDED, ONE)
