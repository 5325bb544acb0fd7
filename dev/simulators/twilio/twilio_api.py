"""The part of Twilio's REST API that Tollgate uses, over HTTP."""

import base64
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import hdrs, web

from dev.simulators.faults import NoAnswer, Refusal
from dev.simulators.given import posted
from dev.simulators.twilio.accounts import Account, AccountStatus
from dev.simulators.twilio.errors import ACCESS_DENIED, CODES, TwilioError, error, not_found
from dev.simulators.twilio.paging import Page
from dev.simulators.twilio.shapes import account_body
from dev.simulators.twilio.state import SimulatorState

ROOT = "/2010-04-01/Accounts"
OK, CREATED = HTTPStatus.OK, HTTPStatus.CREATED
UPDATE_ACCOUNT = "update_account"
ERROR_CODE = web.ResponseKey("error_code", int)


@dataclass(frozen=True)
class Asked:
    """A request, as far as it decides what is answered."""

    path: str
    # The account that it is about; the parent, where it is about all of them.
    account_sid: str
    # What of that account's; empty, if it is the account itself.
    sid: str
    # A form or a query.
    fields: Mapping[str, str]


Answer = tuple[int, dict[str, Any]]
Handle = Callable[[Asked], Answer]


class TwilioApi:
    """Answers as Twilio does, or as a fault says.

    A fault is set for an account by its SID, for an operation by its name, such as update_account,
    or for an operation on an account by both, such as "update_account AC…".
    """

    def __init__(self, state: SimulatorState, auth_token: str) -> None:
        self._state = state
        self._auth_token = auth_token

    def routes(self) -> list[web.RouteDef]:
        get, post = hdrs.METH_GET, hdrs.METH_POST
        account = f"{ROOT}/{{account_sid}}"
        return [
            self._route(post, f"{ROOT}.json", "create_account", self._create_account),
            self._route(get, f"{ROOT}.json", "list_account", self._list_account),
            self._route(get, f"{account}.json", "fetch_account", self._fetch_account),
            self._route(post, f"{account}.json", UPDATE_ACCOUNT, self._update_account),
            web.route(hdrs.METH_ANY, "/2010-04-01/{rest:.*}", self._answer_unknown),
        ]

    def _route(self, method: str, path: str, operation: str, handle: Handle) -> web.RouteDef:
        async def answer(request: web.Request) -> web.StreamResponse:
            asked = await self._read(request)
            return await self._meet(request, operation, asked, handle)

        return web.route(method, path, answer)

    async def _meet(
        self, request: web.Request, operation: str, asked: Asked, handle: Handle
    ) -> web.Response:
        received = await self._state.log.record(
            method=request.method,
            operation=operation,
            sid=asked.account_sid,
            resource_sid=asked.sid,
            asked_by=_credentials(request)[0],
            asked=asked.fields,
        )

        async def answer() -> web.Response:
            try:
                self._authenticate(request, operation, asked)
                http_status, body = handle(asked)
            except TwilioError as refused:
                return _error(refused)
            return web.json_response(body, status=http_status)

        calls = (asked.account_sid, operation, f"{operation} {asked.account_sid}")
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
            wanted, is_let_in = (
                self._auth_token,
                accounts.get(user).status is not AccountStatus.CLOSED,
            )
        elif user == asked.account_sid and operation != UPDATE_ACCOUNT:
            account = accounts.get(user)
            wanted, is_let_in = account.auth_token, account.status is AccountStatus.ACTIVE
        else:
            raise error(ACCESS_DENIED)
        if not is_let_in or not hmac.compare_digest(token.encode(), wanted.encode()):
            raise error(ACCESS_DENIED)

    def _create_account(self, asked: Asked) -> Answer:
        return CREATED, self._body(self._state.accounts.create(asked.fields.get("FriendlyName")))

    def _list_account(self, asked: Asked) -> Answer:
        status, name = asked.fields.get("Status"), asked.fields.get("FriendlyName")

        def is_wanted(account: Account) -> bool:
            return status in (None, account.status) and name in (None, account.friendly_name)

        page = Page.read(asked.path, asked.fields)
        shown, is_last = page.cut(self._state.accounts.newest_first(), is_wanted)
        told = page.body(shown, is_last=is_last)
        return OK, {**told, "accounts": [self._body(account) for account in shown]}

    def _fetch_account(self, asked: Asked) -> Answer:
        return OK, self._body(self._state.accounts.get(asked.account_sid))

    def _update_account(self, asked: Asked) -> Answer:
        fields = asked.fields
        account = self._state.accounts.update(
            asked.account_sid, fields.get("Status"), fields.get("FriendlyName")
        )
        return OK, self._body(account)

    def _body(self, account: Account) -> dict[str, Any]:
        return account_body(account, self._state.accounts.parent_sid)


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
