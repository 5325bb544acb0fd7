"""Twilio's console, as far as it is simulated, beside the switches and the memory."""

from aiohttp import web
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from dev.simulators.control_api import ActRefusedError, ControlApi, to_json
from dev.simulators.twilio.accounts import Account, AccountStatus
from dev.simulators.twilio.errors import TwilioError
from dev.simulators.twilio.state import SimulatorState


@dataclass(frozen=True)
class AccountState:
    """An account as the console shows it, without its secret."""

    sid: str
    status: AccountStatus
    friendly_name: str


@dataclass(frozen=True)
class StatusChange:
    status: AccountStatus


class ConsoleApi(ControlApi):
    """A fault is set for an account: the call that it is of is the account's SID."""

    def __init__(self, state: SimulatorState) -> None:
        super().__init__(
            faults=state.faults, requests=lambda: list(state.requests), reset=state.reset
        )
        self._accounts = state.accounts

    def routes(self) -> list[web.RouteDef]:
        return [
            *super().routes(),
            web.get("/accounts/{sid}", self._get_account),
            web.put("/accounts/{sid}", self._set_account_status),
        ]

    async def _get_account(self, request: web.Request) -> web.Response:
        return _shown(self._find(request))

    async def _set_account_status(self, request: web.Request) -> web.Response:
        change = TypeAdapter(StatusChange).validate_json(await request.read())
        return _shown(self._accounts.set_status(self._find(request).sid, change.status))

    def _find(self, request: web.Request) -> Account:
        try:
            return self._accounts.get(request.match_info["sid"])
        except TwilioError as error:
            raise ActRefusedError(error.message) from error


def _shown(account: Account) -> web.Response:
    return to_json(AccountState(account.sid, account.status, account.friendly_name))
