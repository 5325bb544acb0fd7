"""Killed at any step of what follows a suspension, a service that starts again ends the rest.

A step is one write to the database or to Twilio. SEARCH_TIMES=20 tries every step, each both before
it is taken and before its answer arrives.
"""

from datetime import UTC, datetime

import pytest

from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.messages import MessageStatus
from tests.integration.telephony.crashing.trial import Story, Subject, Told, try_story
from tests.integration.telephony.steps import ACTIVE
from tests.integration.telephony.traffic import call, open_calls, schedule
from tests.support.crashing.telephony import READY_SECONDS, TelephonyProcess
from tests.support.searching import SEARCH_TIMES
from tests.support.waiting import eventually
from tollgate.telephony.v1 import subaccount_pb2

BAD_NEWS = 10
CALL_COUNT, MESSAGE_COUNT = 2, 2
IS_OVER = """
SELECT FROM subaccounts
WHERE account_sid = $1 AND aftermath_clear_time IS NOT NULL AND lease_end_time IS NULL
"""


@pytest.fixture
def service_settings() -> dict[str, str]:
    """Settings of a service that ends what goes on."""
    return {"TELEPHONY_END_CALLS": "true", "TELEPHONY_CANCEL_SCHEDULED_MESSAGES": "true"}


async def talk(it: Subject) -> None:
    """Let the account be used."""
    await it.steps.make_good(it.organization_id)
    await it.steps.register(it.account_sid, it.organization_id)
    await it.steps.reach(ACTIVE, it.account_sid)
    call(it.twilio, CALL_COUNT, it.account_sid)
    for _ in range(MESSAGE_COUNT):
        await schedule(it.twilio, it.account_sid)


async def freeze(it: Subject) -> None:
    await it.report(BAD_NEWS, frozen=True)


async def freeze_and_look_again(it: Subject) -> None:
    """Wake the service for its second look, which comes a moment after it has ended something.

    It is asked itself: whoever kills it reads the database meanwhile.
    """
    await freeze(it)

    async def is_due_again() -> bool:
        aftermath = (await it.steps.get(it.account_sid)).aftermath
        is_due = aftermath.next_look_time.ToDatetime(UTC) <= datetime.now(UTC)
        return aftermath.ended_call_count > 0 and is_due

    await eventually(is_due_again, lambda over: over, READY_SECONDS)
    await it.steps.register(it.account_sid, it.organization_id)


async def check(it: Subject, told: Told) -> None:
    """Nothing is left at Twilio, and no more is told than was done."""

    async def look() -> subaccount_pb2.Aftermath:
        return (await it.steps.get(it.account_sid)).aftermath

    aftermath = await eventually(look, lambda seen: seen.HasField("clear_time"), 30.0)
    assert open_calls(it.twilio, it.account_sid) == 0
    messages = it.twilio.messages(it.account_sid)
    assert {each.status for each in messages} == {MessageStatus.CANCELED}
    assert it.twilio.status(it.account_sid) == "suspended"
    assert "update_account active" not in it.asked
    counts = (aftermath.ended_call_count, aftermath.canceled_message_count)
    assert_is_at_most(counts, least=0 if told.is_killed else CALL_COUNT)
    for change in await it.steps.list_changes(account_sid=it.account_sid):
        assert_is_at_most((change.ended_call_count, change.canceled_message_count), least=0)
        assert not change.line.startswith("DRIFT")
        assert not change.error


def assert_is_at_most(counts: tuple[int, int], *, least: int) -> None:
    assert least <= counts[0] <= CALL_COUNT
    assert least <= counts[1] <= MESSAGE_COUNT


STORY = Story(talk, freeze_and_look_again, freeze, IS_OVER, check)


@pytest.mark.timeout(300 * max(1, SEARCH_TIMES))
async def test_nothing_is_left_of_a_suspension_whenever_the_service_is_killed(
    service: TelephonyProcess, twilio: TwilioSimulator
) -> None:
    await try_story(service, twilio, STORY)
