"""What is borne before anybody is suspended: for how long a depletion, and how much of a debt."""

from datetime import UTC, datetime, timedelta

from dev.simulators.twilio import TwilioSimulator
from libs.config import SECONDS_MAX
from services.telephony.app import build
from tests.integration.telephony.conftest import telephony_settings
from tests.integration.telephony.steps import ACTIVE, ONE, SUSPENDED, TelephonySteps
from tests.support.databases import ServiceDatabase
from tests.support.errors import refusal
from tests.support.services import running
from tests.support.waiting import eventually

HOUR_SECONDS = 3600.0


async def test_a_depletion_suspends_when_it_has_lasted_and_a_top_up_ends_that(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    settings = telephony_settings(database, twilio, suspend_depleted_after_seconds=HOUR_SECONDS)
    async with running(await build(settings)) as channel:
        steps = TelephonySteps(channel, twilio)
        await steps.let_send(ONE)
        end_time = datetime.now(UTC) + timedelta(seconds=2)
        since = end_time - timedelta(seconds=HOUR_SECONDS)
        await steps.report_wallet(depleted=True, depleted_since=since)
        assert await steps.sending_blockers() == ["WALLET_DEPLETED"]

        await steps.reach(SUSPENDED)
        asked = [each for each in twilio.requests if each.status_asked == "suspended"]
        assert all(each.received_at >= end_time for each in asked)
        change = (await steps.list_changes())[1]
        assert change.line == "TIME ACTIVE>SUSPENDED ACTIVE>ACTIVE"
        assert change.time == end_time

        await steps.report_wallet()
        await steps.reach(ACTIVE)


async def test_a_depletion_is_believed_whatever_it_says_of_since_when_that_can_be(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    settings = telephony_settings(database, twilio, suspend_depleted_after_seconds=SECONDS_MAX)
    async with running(await build(settings)) as channel:
        steps = TelephonySteps(channel, twilio)
        assert await steps.report_wallet(depleted=True, depleted_since=None)
        assert "WALLET_DEPLETED" in await steps.sending_blockers()
        latest = datetime(9998, 12, 31, 23, 59, 59, tzinfo=UTC)
        assert await steps.report_wallet(depleted=True, depleted_since=latest)
        too_late = latest + timedelta(seconds=1)
        refused = await refusal(steps.report_wallet(depleted=True, depleted_since=too_late))
        assert (refused.reason, refused.fields) == ("INVALID_ARGUMENT", ["depleted_since"])


async def test_a_debt_that_is_tolerated_forbids_to_send_and_suspends_nobody(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    async with running(
        await build(telephony_settings(database, twilio, debt_tolerance_micros=100))
    ) as channel:
        steps = TelephonySteps(channel, twilio)
        await steps.let_send(ONE)
        await steps.report_wallet(owing_micros=100)
        assert await steps.sending_blockers() == ["DEBT_OWED"]
        assert await steps.look() == ACTIVE
        await steps.report_wallet(owing_micros=101)
        await steps.reach(SUSPENDED)


async def test_a_policy_that_is_changed_reaches_those_that_nobody_tells_of(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    quick = {"twilio_sweep_seconds": 0.1}

    async def look(steps: TelephonySteps) -> tuple[str, str]:
        sight = await steps.look()
        return sight.wanted, sight.at_twilio

    async with running(await build(telephony_settings(database, twilio, **quick))) as channel:
        steps = TelephonySteps(channel, twilio)
        await steps.make_good()
        await steps.register(ONE)
        await eventually(lambda: look(steps), lambda seen: seen == ("ACTIVE", "active"))
        since = datetime.now(UTC) - timedelta(seconds=HOUR_SECONDS)
        await steps.report_wallet(depleted=True, depleted_since=since)

    strict = telephony_settings(
        database, twilio, **quick, suspend_depleted_after_seconds=HOUR_SECONDS
    )
    async with running(await build(strict)) as channel:
        steps = TelephonySteps(channel, twilio)
        await eventually(lambda: look(steps), lambda seen: seen == ("SUSPENDED", "suspended"))

    async with running(await build(telephony_settings(database, twilio, **quick))) as channel:
        steps = TelephonySteps(channel, twilio)
        await eventually(lambda: look(steps), lambda seen: seen == ("ACTIVE", "active"))
