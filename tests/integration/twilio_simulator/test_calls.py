"""Calls at a simulated Twilio, which a suspension does not end."""

from typing import Any

import aiohttp
import pytest
from twilio.rest import Client
from twilio.rest.api.v2010.account.call import CallInstance

from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.accounts import AccountStatus
from dev.simulators.twilio.calls import CallStatus
from dev.simulators.twilio.errors import TwilioError
from dev.simulators.twilio.rules import Rules
from tests.integration.twilio_simulator.steps import ONE, OTHER, PARENT, account, refusal_of

CALLEE, CALLER = "+15552223333", "+15551110000"


async def call(twilio: Client, sid: str = ONE, **changed: Any) -> CallInstance:
    options = {"to": CALLEE, "from_": CALLER, "twiml": "<Response/>", **changed}
    return await account(twilio, sid).calls.create_async(**options)


async def fetch(twilio: Client, sid: str) -> str:
    fetched = await account(twilio).calls(sid).fetch_async()
    return str(fetched.status)


async def end(twilio: Client, sid: str, status: str = "completed") -> CallInstance:
    return await account(twilio).calls(sid).update_async(status=status)


async def test_a_call_is_queued_and_goes_on(twilio: Client, simulator: TwilioSimulator) -> None:
    made = await call(twilio)
    assert (made.account_sid, made.to) == (ONE, CALLEE)
    assert (made.status, made.direction, made.start_time) == ("queued", "outbound-api", None)
    for status in (CallStatus.RINGING, CallStatus.IN_PROGRESS, CallStatus.COMPLETED):
        simulator.set_call_status(made.sid, status)
        assert await fetch(twilio, made.sid) == status
    ended = await account(twilio).calls(made.sid).fetch_async()
    assert ended.start_time == ended.end_time
    assert ended.duration == "0"


@pytest.mark.parametrize(
    ("changed", "code"), [({"to": ""}, 21201), ({"from_": ""}, 21213), ({"twiml": None}, 21205)]
)
async def test_what_twilio_requires_is_required(
    twilio: Client, simulator: TwilioSimulator, changed: dict[str, Any], code: int
) -> None:
    assert await refusal_of(call(twilio, **changed)) == (400, code)
    assert simulator.calls(ONE) == []


async def test_calls_are_listed_by_account_and_status(
    twilio: Client, simulator: TwilioSimulator
) -> None:
    made = [(await call(twilio)).sid for _ in range(5)]
    await call(twilio, OTHER)
    for sid in made[::2]:
        simulator.set_call_status(sid, CallStatus.IN_PROGRESS)
    calls = account(twilio).calls
    for size in (1, 2, 50):
        for status, sids in (("in-progress", made[::2]), ("queued", made[1::2]), ("busy", [])):
            listed = await calls.list_async(status=status, page_size=size)
            assert [each.sid for each in listed] == sids[::-1]
    assert [each.sid for each in await calls.list_async()] == made[::-1]


async def test_calls_that_are_ended_page_by_page_are_all_ended(
    twilio: Client, simulator: TwilioSimulator
) -> None:
    for _ in range(5):
        simulator.receive_call(ONE, CALLER, CALLEE)
    page = await account(twilio).calls.page_async(status="in-progress", page_size=2)
    while page is not None:
        for each in list(page):
            await end(twilio, each.sid)
        page = await page.next_page_async()
    assert {each.status for each in simulator.calls(ONE)} == {CallStatus.COMPLETED}


async def test_completed_ends_every_call_and_canceled_those_that_nobody_answered(
    twilio: Client, simulator: TwilioSimulator
) -> None:
    for status in ("completed", "canceled"):
        queued, answered = await call(twilio), simulator.receive_call(ONE, CALLER, CALLEE)
        assert (await end(twilio, queued.sid, status)).status == "canceled"
        ended = {"completed": "completed", "canceled": "in-progress"}[status]
        assert (await end(twilio, answered.sid, status)).status == ended


async def test_a_call_ends_once(twilio: Client, simulator: TwilioSimulator) -> None:
    answered = simulator.receive_call(ONE, CALLER, CALLEE)
    await end(twilio, answered.sid)
    assert await refusal_of(end(twilio, answered.sid)) == (400, 21220)
    redirecting = account(twilio).calls(answered.sid).update_async(twiml="<Response/>")
    assert await refusal_of(redirecting) == (400, 21220)
    assert await refusal_of(end(twilio, answered.sid, "paused")) == (400, 20001)
    assert await fetch(twilio, answered.sid) == "completed"


async def test_a_suspended_account_begins_no_call_and_keeps_those_in_progress(
    twilio: Client, simulator: TwilioSimulator
) -> None:
    going_out, coming_in = await call(twilio), simulator.receive_call(ONE, CALLER, CALLEE)
    simulator.set_call_status(going_out.sid, CallStatus.IN_PROGRESS)
    await account(twilio).update_async(status="suspended")
    assert await refusal_of(call(twilio)) == (403, 10001)
    with pytest.raises(TwilioError, match="inactive account"):
        simulator.receive_call(ONE, CALLER, CALLEE)
    for sid in (going_out.sid, coming_in.sid):
        assert await fetch(twilio, sid) == "in-progress"
        assert (await end(twilio, sid)).status == "completed"


async def test_calls_of_a_suspended_account_cannot_be_ended_where_a_rule_says_so(
    twilio: Client, simulator: TwilioSimulator
) -> None:
    answered = simulator.receive_call(ONE, CALLER, CALLEE)
    simulator.set_rules(Rules(updates_while_suspended=False))
    simulator.set_status(PARENT, AccountStatus.SUSPENDED)
    assert await refusal_of(end(twilio, answered.sid)) == (403, 10001)
    simulator.set_status(PARENT, AccountStatus.ACTIVE)
    assert (await end(twilio, answered.sid)).status == "completed"


async def test_calls_and_messages_go_on_by_verbs(
    twilio: Client, web: aiohttp.ClientSession
) -> None:
    asked = {"account_sid": ONE, "caller": CALLER, "to": CALLEE}
    async with web.post("/_simulator/act/receive_call", json=asked) as response:
        received = await response.json()
    assert (received["status"], received["direction"]) == ("in-progress", "inbound")
    change = {"sid": received["sid"], "status": "completed"}
    async with web.post("/_simulator/act/set_call_status", json=change) as response:
        assert response.status == 200
    assert await fetch(twilio, received["sid"]) == "completed"
    sent = await account(twilio).messages.create_async(to=CALLEE, from_=CALLER, body="x")
    change = {"sid": sent.sid, "status": "delivered"}
    async with web.post("/_simulator/act/set_message_status", json=change) as response:
        assert response.status == 200
    await account(twilio).update_async(status="suspended")
    async with web.post("/_simulator/act/receive_call", json=asked) as response:
        assert (response.status, "inactive" in (await response.json())["error"]) == (400, True)
    async with web.get("/_simulator") as response:
        told = await response.json()
    for verb in ("receive_call", "set_call_status", "set_message_status"):
        assert told[f"POST /_simulator/act/{verb}"]["body"]["required"]


async def test_what_is_not_simulated_is_not_filtered_by(
    twilio: Client, web: aiohttp.ClientSession
) -> None:
    path = f"/2010-04-01/Accounts/{ONE}/Calls.json?StartTime=2026-01-01"
    async with web.get(path) as response:
        assert (response.status, (await response.json())["code"]) == (400, 20001)
