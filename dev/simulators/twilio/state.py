"""Everything the simulator remembers, apart from the ways to ask for it."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from dev.simulators.clock import Clock
from dev.simulators.faults import Faults
from dev.simulators.twilio.accounts import Account, Accounts, AccountStatus
from dev.simulators.twilio.calls import Call, Calls, CallStatus
from dev.simulators.twilio.journal import Journal
from dev.simulators.twilio.messages import Message, Messages, MessageStatus

REQUESTS_KEPT = 50_000


@dataclass
class ReceivedRequest:
    """A request for Twilio, recorded before anything is decided about it."""

    method: str
    # Twilio's name of what is asked for, such as update_account.
    operation: str
    # The account that it is about.
    sid: str
    # What of that account's; empty, if it is the account itself.
    resource_sid: str
    # The user name of its credentials, whether they are right or not.
    asked_by: str
    asked: Mapping[str, str]
    received_at: datetime
    # None until it is answered, or for ever.
    answered_at: datetime | None = None
    http_status: int | None = None
    error_code: int | None = None

    @property
    def status_asked(self) -> str | None:
        return self.asked.get("Status")


class RequestLog:
    """The requests of this run."""

    def __init__(self, clock: Clock) -> None:
        self.requests: deque[ReceivedRequest] = deque(maxlen=REQUESTS_KEPT)
        self._clock = clock
        self._arrived = asyncio.Condition()

    async def record(
        self,
        *,
        method: str,
        operation: str,
        sid: str,
        resource_sid: str,
        asked_by: str,
        asked: Mapping[str, str],
    ) -> ReceivedRequest:
        async with self._arrived:
            now = self._clock.now()
            self.requests.append(
                ReceivedRequest(method, operation, sid, resource_sid, asked_by, asked, now)
            )
            self._arrived.notify_all()
            return self.requests[-1]

    def answered(self, request: ReceivedRequest, http_status: int, code: int | None) -> None:
        request.answered_at = self._clock.now()
        request.http_status, request.error_code = http_status, code

    async def wait_for(self, count: int) -> None:
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= count)


class SimulatorState:
    """The accounts and what they have; the faults and requests of this run."""

    def __init__(self, parent_sid: str, clock: Clock, journal: Journal) -> None:
        self._journal = journal
        known = journal.read()
        journal.replace(known)
        self.clock = clock
        self.accounts = Accounts(
            parent_sid,
            (each for each in known if isinstance(each, Account)),
            clock.now,
            journal.keep,
        )
        self.messages = Messages(
            self.accounts,
            (each for each in known if isinstance(each, Message)),
            clock.now,
            journal.keep,
        )
        self.calls = Calls(
            self.accounts,
            (each for each in known if isinstance(each, Call)),
            clock.now,
            journal.keep,
        )
        self.faults = Faults("20429")
        self.log = RequestLog(clock)

    def update_account(self, sid: str, status: str | None, friendly_name: str | None) -> Account:
        """What the parent asks for through the API; None leaves a field as it is."""
        return self._change(sid, lambda: self.accounts.update(sid, status, friendly_name))

    def set_status(self, sid: str, status: AccountStatus, *, by_twilio: bool = False) -> Account:
        """What somebody does in Twilio's console, or Twilio itself: no rule applies."""
        return self._change(sid, lambda: self.accounts.set_status(sid, status, by_twilio=by_twilio))

    def receive_call(self, account_sid: str, caller: str, to: str) -> Call:
        """Somebody calls a number of the account, and is answered."""
        return self.calls.receive(account_sid, caller, to)

    def set_call_status(self, sid: str, status: CallStatus) -> Call:
        """How a call goes on by itself: no rule applies."""
        return self.calls.set_status(sid, status)

    def set_message_status(self, sid: str, status: MessageStatus) -> Message:
        """How a message goes on by itself: no rule applies."""
        return self.messages.set_status(sid, status)

    def reset(self) -> None:
        self.faults.reset()
        self.log.requests.clear()
        self.accounts.forget_all()
        self.messages.clear()
        self.calls.clear()
        self._journal.replace([])

    def _change(self, sid: str, change: Callable[[], Account]) -> Account:
        """What was due before an account changes happens before, as if time had been watched."""
        self.messages.settle(sid)
        return change()
