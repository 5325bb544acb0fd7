"""Good news expires by the database's time, also for whoever asks before the worker has looked."""

from datetime import UTC, datetime, timedelta

from dev.simulators.twilio import TwilioSimulator
from services.telephony.app import build
from tests.integration.telephony.conftest import telephony_settings
from tests.integration.telephony.steps import ACTIVE, ONE, TelephonySteps, wanted_name
from tests.support.databases import ServiceDatabase
from tests.support.services import running
from tests.support.waiting import eventually
from tollgate.telephony.v1 import subaccount_pb2
from tollgate.telephony.v1.telephony_service_pb2 import ListSubaccountsRequest

HOUR_SECONDS = 3600.0


async def test_an_answer_never_shows_more_than_what_holds_now(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    """The workers look once an hour, so as good as never."""
    settings = telephony_settings(database, twilio, poll_interval_seconds=HOUR_SECONDS)
    async with running(await build(settings)) as channel:
        steps = TelephonySteps(channel, twilio)
        await steps.let_send(ONE)
        soon = datetime.now(UTC) + timedelta(milliseconds=300)
        await steps.report_subscription(good=True, until=soon)

        await eventually(steps.sending_blockers, lambda found: found == ["SUBSCRIPTION_INACTIVE"])

        subaccount = await steps.get()
        assert wanted_name(subaccount.wanted) == "SUSPENDED"
        assert subaccount.drifted
        assert list(subaccount.blockers) == [subaccount_pb2.BLOCKER_SUBSCRIPTION_INACTIVE]
        wanted = subaccount_pb2.WANTED_STATE_SUSPENDED
        assert await steps.list_sids(ListSubaccountsRequest(wanted=wanted, drifted=True)) == [ONE]
        assert twilio.status(ONE) == "active"


async def test_news_that_was_over_when_it_came_activates_nothing(
    database: ServiceDatabase, twilio: TwilioSimulator
) -> None:
    async with running(await build(telephony_settings(database, twilio))) as channel:
        steps = TelephonySteps(channel, twilio)
        await steps.let_send(ONE)
        assert await steps.look() == ACTIVE
        past = datetime.now(UTC) - timedelta(seconds=1)
        await steps.report_subscription(good=True, until=past)
        await eventually(steps.look, lambda seen: seen.at_twilio == "suspended")
