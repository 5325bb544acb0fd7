"""Messages at a simulated Twilio, and what a suspension makes of them."""

from datetime import timedelta
from typing import Any

import pytest
from twilio.rest import Client
from twilio.rest.api.v2010.account.message import MessageInstance

from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from dev.simulators.twilio.messages import MessageStatus
from dev.simulators.twilio.rules import Rules
from tests.integration.twilio_simulator.conftest import ManualClock
from tests.integration.twilio_simulator.steps import (
    ONE,
    OTHER,
    PARENT,
    TOO_LATE_SECONDS,
    CheckedHttpClient,
    account,
    client_of,
    refusal_of,
)

SERVICE = "MG" + "1" * 32
NUMBERS = {"to": "+15552223333", "from_": "+15551110000"}
AN_HOUR = timedelta(hours=1)


async def send(twilio: Client, sid: str = ONE, **changed: Any) -> MessageInstance:
    options = {**NUMBERS, "body": "Hello", **changed}
    return await account(twilio, sid).messages.create_async(**options)


async def schedule(twilio: Client, clock: ManualClock, sid: str = ONE) -> MessageInstance:
    return await account(twilio, sid).messages.create_async(
        to=NUMBERS["to"],
        messaging_service_sid=SERVICE,
        body="Later",
        schedule_type="fixed",
        send_at=clock.time + AN_HOUR,
    )


async def fetch(twilio: Client, message: MessageInstance) -> tuple[str, int | None]:
    fetched = await account(twilio, message.account_sid).messages(message.sid).fetch_async()
    return fetched.status, fetched.error_code


async def test_a_message_is_queued_and_goes_on(
    twilio: Client, simulator: TwilioSimulator, clock: ManualClock
) -> None:
    sent = await send(twilio)
    assert (sent.account_sid, sent.to, sent.from_) == (ONE, *NUMBERS.values())
    assert (sent.body, sent.status, sent.date_sent) == ("Hello", "queued", None)
    simulator.set_message_status(sent.sid, MessageStatus.DELIVERED)
    assert await fetch(twilio, sent) == ("delivered", None)
    through_service = await send(twilio, from_=None, messaging_service_sid=SERVICE)
    assert through_service.status == "accepted"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"to": ""}, 21604),
        ({"from_": None}, 21603),
        ({"body": None}, 21602),
        ({"schedule_type": "fixed", "send_at": "2027-01-01T00:00:00Z"}, 35118),
        ({"schedule_type": "fixed", "messaging_service_sid": SERVICE}, 20001),
    ],
    ids=repr,
)
async def test_what_twilio_requires_is_required(
    twilio: Client, simulator: TwilioSimulator, changed: dict[str, Any], code: int
) -> None:
    assert await refusal_of(send(twilio, **changed)) == (400, code)
    assert simulator.messages(ONE) == []


async def test_messages_are_listed_by_account_newest_first(twilio: Client) -> None:
    sent = [(await send(twilio, body=f"{number}")).sid for number in range(5)]
    await send(twilio, OTHER)
    for size in (1, 2, 5, 50):
        listed = await account(twilio).messages.list_async(page_size=size)
        assert [each.sid for each in listed] == sent[::-1]
    assert await account(twilio).messages.list_async(to="+1") == []
    assert len(await account(twilio).messages.list_async(**NUMBERS)) == 5


async def test_a_message_is_of_one_account(twilio: Client) -> None:
    sent = await send(twilio)
    asked = account(twilio, OTHER).messages(sent.sid)
    assert await refusal_of(asked.fetch_async()) == (404, 20404)
    assert await refusal_of(asked.update_async(status="canceled")) == (404, 20404)


async def test_a_scheduled_message_is_sent_at_its_time(twilio: Client, clock: ManualClock) -> None:
    scheduled = await schedule(twilio, clock)
    assert (scheduled.status, scheduled.from_) == ("scheduled", None)
    clock.time += AN_HOUR - timedelta(seconds=1)
    assert await fetch(twilio, scheduled) == ("scheduled", None)
    clock.time += timedelta(seconds=1)
    assert await fetch(twilio, scheduled) == ("sent", None)


async def test_only_a_scheduled_message_is_canceled(twilio: Client, clock: ManualClock) -> None:
    scheduled, queued = await schedule(twilio, clock), await send(twilio)
    messages = account(twilio).messages
    canceled = await messages(scheduled.sid).update_async(status="canceled")
    assert canceled.status == "canceled"
    for message in (scheduled, queued):
        canceling = messages(message.sid).update_async(status="canceled")
        assert await refusal_of(canceling) == (409, 30409)
    clock.time += AN_HOUR
    assert await fetch(twilio, scheduled) == ("canceled", None)


async def test_a_suspended_account_sends_nothing(
    twilio: Client, simulator: TwilioSimulator, clock: ManualClock
) -> None:
    queued, delivered, others = [await send(twilio, sid) for sid in (ONE, ONE, OTHER)]
    simulator.set_message_status(delivered.sid, MessageStatus.DELIVERED)
    scheduled = await schedule(twilio, clock)
    await account(twilio).update_async(status="suspended")
    assert await refusal_of(send(twilio)) == (403, 10001)
    assert await fetch(twilio, queued) == ("failed", 30002)
    assert await fetch(twilio, delivered) == ("delivered", None)
    assert await fetch(twilio, others) == ("queued", None)
    assert await fetch(twilio, scheduled) == ("scheduled", None)
    clock.time += AN_HOUR
    assert await fetch(twilio, scheduled) == ("failed", 30002)
    await account(twilio).update_async(status="active")
    assert await fetch(twilio, queued) == ("failed", 30002)
    assert (await send(twilio)).status == "queued"


async def test_what_was_due_in_between_was_treated_in_between(
    twilio: Client, simulator: TwilioSimulator, clock: ManualClock
) -> None:
    """Nobody looks at the messages while they come due."""
    sent, failed = await schedule(twilio, clock), await schedule(twilio, clock, OTHER)
    simulator.set_status(OTHER, AccountStatus.SUSPENDED)
    clock.time += AN_HOUR
    simulator.set_status(ONE, AccountStatus.SUSPENDED)
    simulator.set_status(OTHER, AccountStatus.ACTIVE)
    assert await fetch(twilio, sent) == ("sent", None)
    assert await fetch(twilio, failed) == ("failed", 30002)


async def test_a_suspended_parent_fails_everybodys_messages(
    twilio: Client, simulator: TwilioSimulator
) -> None:
    queued = [await send(twilio, sid) for sid in (ONE, OTHER)]
    simulator.set_status(PARENT, AccountStatus.SUSPENDED)
    for message in queued:
        assert await fetch(twilio, message) == ("failed", 30002)
    assert await refusal_of(send(twilio)) == (403, 10001)


async def test_messages_of_a_suspended_account_are_canceled_unless_a_rule_forbids_it(
    twilio: Client, simulator: TwilioSimulator, clock: ManualClock
) -> None:
    scheduled = await schedule(twilio, clock)
    message = account(twilio).messages(scheduled.sid)
    simulator.set_status(ONE, AccountStatus.SUSPENDED)
    simulator.set_rules(Rules(updates_while_suspended=False))
    assert await refusal_of(message.update_async(status="canceled")) == (403, 10001)
    assert await fetch(twilio, scheduled) == ("scheduled", None)
    simulator.set_rules(Rules())
    assert (await message.update_async(status="canceled")).status == "canceled"


async def test_a_subaccount_sends_with_its_own_credentials(
    twilio: Client, simulator: TwilioSimulator
) -> None:
    made = await twilio.api.v2010.accounts.create_async()
    async with CheckedHttpClient(timeout=TOO_LATE_SECONDS) as http_client:
        own = client_of(simulator.base_url, http_client, made.sid, made.auth_token)
        assert (await send(own, made.sid)).status == "queued"
        assert await refusal_of(send(own, OTHER)) == (401, 20003)
        await account(twilio, made.sid).update_async(status="suspended")
        assert await refusal_of(send(own, made.sid)) == (401, 20003)


async def test_an_account_that_does_not_exist_has_no_messages(
    twilio: Client, simulator: TwilioSimulator
) -> None:
    simulator.set_rules(Rules(any_subaccount_exists=False))
    assert await refusal_of(send(twilio)) == (404, 20404)
    assert await refusal_of(account(twilio).messages("SM" + "1" * 32).fetch_async()) == (404, 20404)
