"""The part of Twilio's REST API that Tollgate uses, over HTTP."""

import base64
import hmac
from http import HTTPStatus

from aiohttp import hdrs, web

from dev.simulators.faults import NoAnswer, Refusal
from dev.simulators.given import posted
from dev.simulators.twilio.accounts import AccountStatus
from dev.simulators.twilio.errors import ACCESS_DENIED, CODES, TwilioError, error, not_found
from dev.simulators.twilio.operations import UPDATE_ACCOUNT, Asked, Operation, Operations
from dev.simulators.twilio.state import SimulatorState

ERROR_CODE = web.ResponseKey("error_code", int)


class TwilioApi:
    """Answers as Twilio does, or as a fault says.

    A fault is set for an account by its SID, for an operation by its name, such as update_account,
    or for an operation on an account by both, such as "update_account AC…".
    """

    def __init__(self, state: SimulatorState, auth_token: str) -> None:
        self._state = state
        self._auth_token = auth_token

    def routes(self) -> list[web.RouteDef]:
        return [
            *(self._route(each) for each in Operations(self._state).all()),
            web.route(hdrs.METH_ANY, "/2010-04-01/{rest:.*}", self._answer_unknown),
        ]

    def _route(self, operation: Operation) -> web.RouteDef:
        async def answer(request: web.Request) -> web.StreamResponse:
            return await self._meet(request, operation, await self._read(request))

        return web.route(operation.method, operation.path, answer)

    async def _meet(self, request: web.Request, operation: Operation, asked: Asked) -> web.Response:
        received = await self._state.log.record(
            method=request.method,
            operation=operation.name,
            sid=asked.account_sid,
            resource_sid=asked.sid,
            asked_by=_credentials(request)[0],
            asked=asked.fields,
        )

        async def answer() -> web.Response:
            try:
                self._authenticate(request, operation.name, asked)
                self._state.accounts.get(asked.account_sid)
                http_status, body = operation.handle(asked)
            except TwilioError as refused:
                return _error(refused)
            return web.json_response(body, status=http_status)

        calls = (asked.account_sid, operation.name, f"{operation.name} {asked.account_sid}")
        answered = await self._state.faults.answer(request, calls, answer, _refuse)
        if not isinstance(answered, NoAnswer):
            self._state.log.answered(received, answered.status, answered.get(ERROR_CODE))
        return answered

    async def _read(self, request: web.Request) -> Asked:
        given = request.match_info
        form = request.query if request.method == hdrs.METH_GET else await posted(request)
        return Asked(
            path=request.path,
            account_sid=given.get("account_sid", self._state.accounts.parent_sid),
            sid=given.get("sid", ""),
            fields={name: value for name, value in form.items() if isinstance(value, str)},
        )

    async def _answer_unknown(self, request: web.Request) -> web.Response:
        return _error(not_found(request.path))

    def _authenticate(self, request: web.Request, operation: str, asked: Asked) -> None:
        """The parent may ask for everything, a subaccount that is active for what it has."""
        user, token = _credentials(request)
        accounts = self._state.accounts
        if user == accounts.parent_sid:
            is_let_in = accounts.get(user).status is not AccountStatus.CLOSED
            wanted = self._auth_token
        elif user == asked.account_sid and operation != UPDATE_ACCOUNT:
            account = accounts.get(user)
            is_let_in = account.status is AccountStatus.ACTIVE
            wanted = account.auth_token
        else:
            raise error(ACCESS_DENIED)
        if not is_let_in or not hmac.compare_digest(token.encode(), wanted.encode()):
            raise error(ACCESS_DENIED)


def _credentials(request: web.Request) -> tuple[str, str]:
    _, _, encoded = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    try:
        user, _, token = base64.b64decode(encoded).decode().partition(":")
    except ValueError:
        return "", ""
    return user, token


def _error(refused: TwilioError) -> web.Response:
    response = web.json_response(refused.body(), status=refused.http_status)
    response[ERROR_CODE] = refused.code
    if refused.http_status == HTTPStatus.UNAUTHORIZED:
        response.headers[hdrs.WWW_AUTHENTICATE] = 'Basic realm="Twilio API"'
    return response


def _refuse(refusal: Refusal) -> web.Response:
    """Twilio's words for a code of its own; a refusal without one quotes what it was given."""
    if refusal.code.isdecimal() and int(refusal.code) in CODES:
        code = int(refusal.code)
        return _error(TwilioError(code, refusal.status, CODES[code][1]))
    code = int(refusal.code) if refusal.code.isdecimal() else ACCESS_DENIED
    problem = f"Refused by a fault that is set: {refusal.code}"
    return _error(TwilioError(code, refusal.status, problem))
