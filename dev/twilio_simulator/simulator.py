"""The simulator as one object: a server to start and stop, and the same switches in Python."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from dev.twilio_simulator.accounts import AccountStatus
from dev.twilio_simulator.control_api import ControlApi, refuse_bad_requests
from dev.twilio_simulator.faults import Fault, Switch
from dev.twilio_simulator.state import ReceivedRequest, SimulatorState
from dev.twilio_simulator.twilio_api import TwilioApi


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
        self._state = SimulatorState(account_sid, state_file, now)
        self._auth_token = auth_token
        self._api: TwilioApi | None = None
        self._runner: web.AppRunner | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._api = TwilioApi(self._state, self._auth_token)
        application = web.Application(middlewares=[refuse_bad_requests])
        application.add_routes([*self._api.routes(), *ControlApi(self._state).routes()])
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()

    async def stop(self) -> None:
        """Safe to call twice or without a start; what is remembered stays for the next start."""
        if self._api is not None:
            self._api.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def base_url(self) -> str:
        assert self._runner is not None, "not started"
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

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
        self._state.faults.set(Switch(fault, sid, times))

    def heal(self, sid: str | None = None) -> None:
        """Switches off the faults set for one account, or every fault."""
        self._state.faults.clear(sid)

    def reset(self) -> None:
        """Forgets the accounts, the requests and the faults."""
        self._state.reset()
