"""Calls and scheduled messages of an account, made by others than Tollgate."""

from datetime import UTC, datetime, timedelta

from aiohttp import BasicAuth, ClientSession

from dev.simulators.twilio import TwilioSimulator
from dev.simulators.twilio.calls import CallStatus
from tests.integration.telephony.steps import ONE
from tests.support.stack import TWILIO_SID, TWILIO_TOKEN

OPEN = {CallStatus.QUEUED, CallStatus.RINGING, CallStatus.IN_PROGRESS}


def call(twilio: TwilioSimulator, count: int, account_sid: str = ONE) -> None:
    """Let people call the account."""
    for _ in range(count):
        twilio.receive_call(account_sid, "+15550001111", "+15550002222")


def open_calls(twilio: TwilioSimulator, account_sid: str = ONE) -> int:
    """Return how many calls go on."""
    return sum(each.status in OPEN for each in twilio.calls(account_sid))


async def schedule(twilio: TwilioSimulator, account_sid: str = ONE, **changed: str) -> None:
    """Have the account's own backend send a message later, or now."""
    later = datetime.now(UTC) + timedelta(days=1)
    fields = {
        "To": "+15550003333",
        "MessagingServiceSid": f"MG{'0' * 32}",
        "Body": "hello",
        "ScheduleType": "fixed",
        "SendAt": later.isoformat(),
    }
    url = f"{twilio.base_url}/2010-04-01/Accounts/{account_sid}/Messages.json"
    async with (
        ClientSession(auth=BasicAuth(TWILIO_SID, TWILIO_TOKEN)) as http,
        http.post(url, data={**fields, **changed}) as answer,
    ):
        assert answer.status == 201
