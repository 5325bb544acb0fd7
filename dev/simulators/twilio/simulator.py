"""The simulator as one object: a server to start and stop, and the same switches in Python."""

from pathlib import Path

from aiohttp import web

from dev.simulators.clock import Clock
from dev.simulators.control_api import PREFIX
from dev.simulators.faults import Fault, Load
from dev.simulators.server import Server
from dev.simulators.twilio.accounts import AccountStatus
from dev.simulators.twilio.calls import Call, CallStatus
from dev.simulators.twilio.control_api import ConsoleApi
from dev.simulators.twilio.journal import Journal
from dev.simulators.twilio.messages import Message, MessageStatus
from dev.simulators.twilio.rules import Rules
from dev.simulators.twilio.state import ReceivedRequest, SimulatorState
from dev.simulators.twilio.twilio_api import TwilioApi


class TwilioSimulator:
    """Twilio with one parent account and, until a rule says otherwise, any subaccount."""

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        state_file: Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`account_sid` and `auth_token` are the parent's."""
        self.clock = clock or Clock()
        self._journal = Journal(state_file)
        self._state = SimulatorState(account_sid, self.clock, self._journal)
        self._api = TwilioApi(self._state, auth_token)
        self._server = Server()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        application = web.Application()
        application.add_routes(self._api.routes())
        application.add_subapp(PREFIX, ConsoleApi(self._state).application())
        await self._server.start(application, host, port)

    async def stop(self) -> None:
        """Safe to call twice or without a start; what is remembered stays for the next start."""
        self._state.faults.stop()
        await self._server.stop()
        self._journal.close()

    @property
    def base_url(self) -> str:
        return self._server.base_url

    @property
    def requests(self) -> list[ReceivedRequest]:
        """The requests for Twilio since the start or the last reset, oldest first."""
        return list(self._state.log.requests)

    async def wait_for_requests(self, count: int) -> None:
        """Returns when so many requests have come in."""
        await self._state.log.wait_for(count)

    @property
    def late_count(self) -> int:
        """How many requests have come in and take effect later, as a fault made them."""
        return self._state.faults.late_count

    def status(self, sid: str) -> AccountStatus:
        return self._state.accounts.get(sid).status

    def set_status(self, sid: str, status: AccountStatus, *, by_twilio: bool = False) -> None:
        """As in Twilio's console: behind Tollgate's back, and past every rule of the API."""
        self._state.set_status(sid, status, by_twilio=by_twilio)

    def messages(self, account_sid: str) -> list[Message]:
        """An account's messages, newest first."""
        return self._state.messages.newest_first(account_sid)

    def calls(self, account_sid: str) -> list[Call]:
        """An account's calls, newest first."""
        return self._state.calls.newest_first(account_sid)

    def receive_call(self, account_sid: str, caller: str, to: str) -> Call:
        """Somebody calls a number of the account, and is answered."""
        return self._state.receive_call(account_sid, caller, to)

    def set_call_status(self, sid: str, status: CallStatus) -> None:
        """How a call goes on by itself: no rule applies."""
        self._state.set_call_status(sid, status)

    def set_message_status(self, sid: str, status: MessageStatus) -> None:
        """How a message goes on by itself: no rule applies."""
        self._state.set_message_status(sid, status)

    def set_rules(self, rules: Rules) -> None:
        """What Twilio lets its customers do from now on."""
        self._state.accounts.rules = rules

    def set_load(self, load: Load) -> None:
        """How busy Twilio is from now on."""
        self._state.faults.set_load(load)

    def fail(
        self,
        fault: Fault,
        sid: str | None = None,
        times: int | None = None,
        operation: str | None = None,
    ) -> None:
        """Switches a fault on, so many times or until it is healed.

        For one account or all, and for one operation, such as "update_account", or all.
        """
        self._state.faults.set(fault, _call(sid, operation), times)

    def heal(self, sid: str | None = None, operation: str | None = None) -> None:
        """Switches off the faults that were set with the same words, or every fault."""
        self._state.faults.clear(_call(sid, operation))

    def reset(self) -> None:
        """Forgets everything: what was made, the requests, the faults, the rules."""
        self._state.reset()


def _call(sid: str | None, operation: str | None) -> str | None:
    return " ".join(filter(None, (operation, sid))) or None
