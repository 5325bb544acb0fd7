"""The simulator as one object: a server to start and stop, and the same switches in Python."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from dev.simulators.control_api import PREFIX
from dev.simulators.faults import Fault
from dev.simulators.server import Server
from dev.simulators.state_file import StateFile
from dev.simulators.twilio.accounts import Account, AccountStatus
from dev.simulators.twilio.control_api import ConsoleApi
from dev.simulators.twilio.state import ReceivedRequest, SimulatorState
from dev.simulators.twilio.twilio_api import TwilioApi


def utc_now() -> datetime:
    return datetime.now(UTC)


class TwilioSimulator:
    """Twilio with one parent account and every subaccount anybody asks for."""

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        state_file: Path | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """`account_sid` and `auth_token` are the parent's; they alone may ask."""
        self._state_file = StateFile(state_file, list[Account])
        self._state = SimulatorState(account_sid, self._state_file.read(), now)
        self._api = TwilioApi(self._state, auth_token)
        self._server = Server()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        keep = self._state_file.after_each_request(self._state.accounts.all)
        application = web.Application(middlewares=[keep])
        application.add_routes(self._api.routes())
        application.add_subapp(PREFIX, ConsoleApi(self._state).application())
        await self._server.start(application, host, port)

    async def stop(self) -> None:
        """Safe to call twice or without a start; what is remembered stays for the next start."""
        self._state.faults.stop()
        await self._server.stop()
        self._state_file.write(self._state.accounts.all())

    @property
    def base_url(self) -> str:
        return self._server.base_url

    @property
    def requests(self) -> list[ReceivedRequest]:
        """The requests for Twilio since the start or the last reset, oldest first."""
        return list(self._state.requests)

    async def wait_for_requests(self, count: int) -> None:
        """Returns when so many requests have come in."""
        await self._state.wait_for_requests(count)

    def status(self, sid: str) -> AccountStatus:
        return self._state.accounts.get(sid).status

    def set_status(self, sid: str, status: AccountStatus) -> None:
        """As in Twilio's console: behind Tollgate's back, and past every rule of the API."""
        self._state.accounts.set_status(sid, status)

    def fail(self, fault: Fault, sid: str | None = None, times: int | None = None) -> None:
        """Switches a fault on, for one account or all, so many times or until it is healed."""
        self._state.faults.set(fault, sid, times)

    def heal(self, sid: str | None = None) -> None:
        """Switches off the faults set for one account, or every fault."""
        self._state.faults.clear(sid)

    def reset(self) -> None:
        """Forgets the accounts, the requests and the faults."""
        self._state.reset()
