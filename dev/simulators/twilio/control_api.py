"""Twilio's console, as far as it is simulated, beside the switches and the memory."""

from typing import Any

from aiohttp import web
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from dev.simulators.control_api import ActRefusedError, ControlApi, to_json
from dev.simulators.twilio.accounts import Account, AccountStatus
from dev.simulators.twilio.errors import TwilioError
from dev.simulators.twilio.rules import Rules
from dev.simulators.twilio.state import SimulatorState

VERBS = ("receive_call", "set_call_status", "set_message_status")


@dataclass(frozen=True)
class AccountState:
    """An account as the console shows it, without its secret."""

    sid: str
    status: AccountStatus
    friendly_name: str


@dataclass(frozen=True)
class StatusChange:
    """What somebody does in the console, or Twilio itself, behind the API's back."""

    status: AccountStatus
    by_twilio: bool = False


class ConsoleApi(ControlApi):
    """The parent's status is changed like any other: all follow it."""

    def __init__(self, state: SimulatorState) -> None:
        super().__init__(
            faults=state.faults,
            clock=state.clock,
            verbs={name: getattr(state, name) for name in VERBS},
            refusal=TwilioError,
            requests=lambda: list(state.log.requests),
            reset=state.reset,
        )
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        return [
            *super().routes(),
            web.put("/rules", self._set_rules),
            web.get("/accounts/{sid}", self._get_account),
            web.put("/accounts/{sid}", self._set_account_status),
        ]

    def bodies(self) -> dict[str, Any]:
        return {
            **super().bodies(),
            "PUT /rules": Rules,
            "PUT /accounts/{sid}": StatusChange,
        }

    async def _set_rules(self, request: web.Request) -> web.Response:
        self._state.accounts.rules = TypeAdapter(Rules).validate_json(await request.read())
        return to_json(self._state.accounts.rules)

    async def _get_account(self, request: web.Request) -> web.Response:
        return _shown(self._find(request))

    async def _set_account_status(self, request: web.Request) -> web.Response:
        change = TypeAdapter(StatusChange).validate_json(await request.read())
        sid = self._find(request).sid
        return _shown(self._state.set_status(sid, change.status, by_twilio=change.by_twilio))

    def _find(self, request: web.Request) -> Account:
        try:
            return self._state.accounts.get(request.match_info["sid"])
        except TwilioError as error:
            raise ActRefusedError(error.message) from error


def _shown(account: Account) -> web.Response:
    return to_json(AccountState(account.sid, account.status, account.friendly_name))
