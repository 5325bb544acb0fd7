"""The simulator's own switches and its memory, over HTTP, in JSON."""

from http import HTTPStatus

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from dev.twilio_simulator.accounts import AccountStatus
from dev.twilio_simulator.errors import TwilioError
from dev.twilio_simulator.faults import Switch
from dev.twilio_simulator.state import ReceivedRequest, SimulatorState

PREFIX = "/_simulator"


@dataclass(frozen=True)
class AccountState:
    """An account as the console shows it, without its secret."""

    sid: str
    status: AccountStatus
    friendly_name: str


@dataclass(frozen=True)
class StatusChange:
    status: AccountStatus


class ControlApi:
    """For whoever watches or disturbs Twilio; Tollgate's services do not know it."""

    def __init__(self, state: SimulatorState) -> None:
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{PREFIX}/accounts/{{sid}}", self.get_account),
            web.put(f"{PREFIX}/accounts/{{sid}}", self.set_account_status),
            web.get(f"{PREFIX}/requests", self.list_requests),
            web.get(f"{PREFIX}/faults", self.list_faults),
            web.post(f"{PREFIX}/faults", self.set_fault),
            web.delete(f"{PREFIX}/faults", self.clear_faults),
            web.post(f"{PREFIX}/reset", self.reset),
        ]

    async def get_account(self, request: web.Request) -> web.Response:
        return self._account(request.match_info["sid"])

    async def set_account_status(self, request: web.Request) -> web.Response:
        change = TypeAdapter(StatusChange).validate_json(await request.read())
        self._state.accounts.set_status(request.match_info["sid"], change.status)
        return self._account(request.match_info["sid"])

    async def list_requests(self, _: web.Request) -> web.Response:
        return _json(TypeAdapter(list[ReceivedRequest]).dump_json(list(self._state.requests)))

    async def list_faults(self, _: web.Request) -> web.Response:
        return _json(TypeAdapter(list[Switch]).dump_json(self._state.faults.all()))

    async def set_fault(self, request: web.Request) -> web.Response:
        self._state.faults.set(TypeAdapter(Switch).validate_json(await request.read()))
        return await self.list_faults(request)

    async def clear_faults(self, request: web.Request) -> web.Response:
        self._state.faults.clear(request.query.get("sid"))
        return await self.list_faults(request)

    async def reset(self, _: web.Request) -> web.Response:
        self._state.reset()
        return web.Response(status=HTTPStatus.NO_CONTENT)

    def _account(self, sid: str) -> web.Response:
        account = self._state.accounts.get(sid)
        shown = AccountState(account.sid, account.status, account.friendly_name)
        return _json(TypeAdapter(AccountState).dump_json(shown))


@web.middleware
async def refuse_bad_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tells a person what is wrong with what they sent to the switches."""
    try:
        return await handler(request)
    except ValidationError as error:
        return web.json_response({"error": str(error)}, status=HTTPStatus.BAD_REQUEST)
    except TwilioError as error:
        return web.json_response({"error": error.message}, status=error.http_status)


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: "application/json"})
