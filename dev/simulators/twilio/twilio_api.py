"""The part of Twilio's REST API that Tollgate uses, over HTTP."""

import base64
import hmac
from email.utils import format_datetime
from http import HTTPStatus

from aiohttp import hdrs, web

from dev.simulators.faults import Refusal
from dev.simulators.twilio.accounts import Account, account_path
from dev.simulators.twilio.errors import TwilioError, not_found
from dev.simulators.twilio.state import SimulatorState

ACCESS_DENIED = 20003

SUBRESOURCES = {
    "addresses": "Addresses",
    "applications": "Applications",
    "authorized_connect_apps": "AuthorizedConnectApps",
    "available_phone_numbers": "AvailablePhoneNumbers",
    "balance": "Balance",
    "calls": "Calls",
    "conferences": "Conferences",
    "connect_apps": "ConnectApps",
    "incoming_phone_numbers": "IncomingPhoneNumbers",
    "keys": "Keys",
    "messages": "Messages",
    "notifications": "Notifications",
    "outgoing_caller_ids": "OutgoingCallerIds",
    "queues": "Queues",
    "recordings": "Recordings",
    "short_codes": "SMS/ShortCodes",
    "signing_keys": "SigningKeys",
    "sip": "SIP",
    "transcriptions": "Transcriptions",
    "usage": "Usage",
}


class TwilioApi:
    """Answers as Twilio does, or as a fault says."""

    def __init__(self, state: SimulatorState, auth_token: str) -> None:
        self._state = state
        credentials = f"{state.accounts.parent_sid}:{auth_token}"
        self._authorization = b"Basic " + base64.b64encode(credentials.encode())

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(account_path("{sid}"), self.handle_account, allow_head=False),
            web.post(account_path("{sid}"), self.handle_account),
            web.route(hdrs.METH_ANY, "/2010-04-01/{rest:.*}", self.handle_unknown),
        ]

    async def handle_account(self, request: web.Request) -> web.Response:
        sid, form = request.match_info["sid"], await _form(request)
        await self._state.record(request.method, sid, form.get("Status"))

        async def answer() -> web.Response:
            return self._answer(request, form)

        return await self._state.faults.answer(request, sid, answer, _refuse)

    async def handle_unknown(self, request: web.Request) -> web.Response:
        return _error(not_found(request.path))

    def _answer(self, request: web.Request, form: dict[str, str]) -> web.Response:
        try:
            self._authenticate(request)
            return web.json_response(self._account_body(self._apply(request, form)))
        except TwilioError as error:
            return _error(error)

    def _authenticate(self, request: web.Request) -> None:
        given = request.headers.get(hdrs.AUTHORIZATION, "")
        if not hmac.compare_digest(given.encode(), self._authorization):
            raise TwilioError(ACCESS_DENIED, HTTPStatus.UNAUTHORIZED, "Authenticate")

    def _apply(self, request: web.Request, form: dict[str, str]) -> Account:
        accounts, sid = self._state.accounts, request.match_info["sid"]
        if request.method == hdrs.METH_GET:
            return accounts.get(sid)
        return accounts.update(sid, form.get("Status"), form.get("FriendlyName"))

    def _account_body(self, account: Account) -> dict[str, object]:
        path = account_path(account.sid)
        folder = path.removesuffix(".json")
        return {
            "auth_token": account.auth_token,
            "date_created": format_datetime(account.created_at),
            "date_updated": format_datetime(account.updated_at),
            "friendly_name": account.friendly_name,
            "owner_account_sid": self._state.accounts.parent_sid,
            "sid": account.sid,
            "status": account.status,
            "subresource_uris": {
                name: f"{folder}/{resource}.json" for name, resource in SUBRESOURCES.items()
            },
            "type": "Full",
            "uri": path,
        }


async def _form(request: web.Request) -> dict[str, str]:
    form = await request.post()
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _error(error: TwilioError) -> web.Response:
    response = web.json_response(error.body(), status=error.http_status)
    if error.http_status == HTTPStatus.UNAUTHORIZED:
        response.headers[hdrs.WWW_AUTHENTICATE] = 'Basic realm="Twilio API"'
    return response


def _refuse(refusal: Refusal) -> web.Response:
    code = int(refusal.code) if refusal.code.isdecimal() else ACCESS_DENIED
    problem = f"Refused by a fault that is set: {refusal.code}"
    return _error(TwilioError(code, refusal.status, problem))
