"""The part of Twilio's REST API that Tollgate uses, over HTTP."""

import asyncio
import base64
import hmac
from email.utils import format_datetime
from http import HTTPStatus
from typing import assert_never

from aiohttp import hdrs, web

from dev.twilio_simulator.accounts import Account, account_path
from dev.twilio_simulator.errors import TwilioError, not_found
from dev.twilio_simulator.faults import (
    Fault,
    Hang,
    Latency,
    LostAnswer,
    Refusal,
    TooManyRequests,
    Unavailable,
)
from dev.twilio_simulator.state import SimulatorState

UNAVAILABLE_PAGE = """\
<html>
<head><title>503 Service Temporarily Unavailable</title></head>
<body><center><h1>503 Service Temporarily Unavailable</h1></center></body>
</html>
"""

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
        self._stopping = asyncio.Event()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(account_path("{sid}"), self.handle_account, allow_head=False),
            web.post(account_path("{sid}"), self.handle_account),
            web.route(hdrs.METH_ANY, "/2010-04-01/{rest:.*}", self.handle_unknown),
        ]

    def stop(self) -> None:
        """Lets go of the requests that would never be answered."""
        self._stopping.set()

    async def handle_account(self, request: web.Request) -> web.Response:
        sid, form = request.match_info["sid"], await _form(request)
        await self._state.record(request.method, sid, form.get("Status"))
        fault = self._state.faults.take(sid)
        return await self._answer_despite(fault, request, form)

    async def handle_unknown(self, request: web.Request) -> web.Response:
        return _error(not_found(request.path))

    async def _answer_despite(
        self, fault: Fault | None, request: web.Request, form: dict[str, str]
    ) -> web.Response:
        match fault:
            case None:
                return self._answer(request, form)
            case Unavailable():
                return web.Response(status=503, text=UNAVAILABLE_PAGE, content_type="text/html")
            case TooManyRequests(retry_after_seconds):
                return _too_many_requests(retry_after_seconds)
            case Refusal(code, http_status):
                return _error(TwilioError(code, http_status, "Refused by a fault that is set."))
            case Hang():
                await self._stopping.wait()
                return _lost(request)
            case Latency(milliseconds):
                if await self._stops_within(milliseconds):
                    return _lost(request)
                return self._answer(request, form)
            case LostAnswer():
                self._answer(request, form)
                return _lost(request)
            case _:
                assert_never(fault)

    def _answer(self, request: web.Request, form: dict[str, str]) -> web.Response:
        try:
            self._authenticate(request)
            return web.json_response(self._account_body(self._apply(request, form)))
        except TwilioError as error:
            return _error(error)

    def _authenticate(self, request: web.Request) -> None:
        given = request.headers.get(hdrs.AUTHORIZATION, "")
        if not hmac.compare_digest(given.encode(), self._authorization):
            raise TwilioError(20003, HTTPStatus.UNAUTHORIZED, "Authenticate")

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

    async def _stops_within(self, milliseconds: int) -> bool:
        try:
            await asyncio.wait_for(self._stopping.wait(), milliseconds / 1000)
        except TimeoutError:
            return False
        return True


async def _form(request: web.Request) -> dict[str, str]:
    form = await request.post()
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _error(error: TwilioError) -> web.Response:
    response = web.json_response(error.body(), status=error.http_status)
    if error.http_status == HTTPStatus.UNAUTHORIZED:
        response.headers[hdrs.WWW_AUTHENTICATE] = 'Basic realm="Twilio API"'
    return response


def _too_many_requests(retry_after_seconds: int | None) -> web.Response:
    response = _error(TwilioError(20429, HTTPStatus.TOO_MANY_REQUESTS, "Too Many Requests"))
    if retry_after_seconds is not None:
        response.headers[hdrs.RETRY_AFTER] = str(retry_after_seconds)
    return response


def _lost(request: web.Request) -> web.Response:
    """Closes the connection; the response has nobody left to go to."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
