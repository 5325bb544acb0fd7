"""Twilio's accounts through Twilio's own library, which no other module knows.

Twilio's answers carry the account's auth token. Nothing of them leaves this module but an account's
SID, name, status and age, and the code and message of a refusal, without the credentials that it
may quote.
"""

import json
import re
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from logging import getLogger
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from aiohttp import (
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    encode_basic_auth,
)
from prometheus_client import CollectorRegistry, Counter
from twilio.base.exceptions import (
    TwilioException,
    TwilioRestException,
    TwilioServiceException,
)
from twilio.base.version import Version
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from libs.text import storable_text
from services.telephony.domain.decision import normal_account_sid
from services.telephony.domain.provisioning import TwilioAccount
from services.telephony.domain.values import ObservedState, WantedState
from services.telephony.ports import (
    ScheduledMessages,
    TwilioBusyError,
    TwilioError,
    TwilioRefusedError,
    TwilioUnavailableError,
)

# Without `closed`: it cannot be asked for.
STATUS_OF = {WantedState.ACTIVE: "active", WantedState.SUSPENDED: "suspended"}
OBSERVED = {
    "active": ObservedState.ACTIVE,
    "suspended": ObservedState.SUSPENDED,
    "closed": ObservedState.CLOSED,
}
# Calls that cost, or are about to.
OPEN_CALL_STATUSES = ("queued", "ringing", "in-progress")
CALL_SID = re.compile(r"CA[0-9a-fA-F]{32}")
MESSAGE_SID = re.compile(r"(SM|MM)[0-9a-fA-F]{32}")
PAGE_SIZE = 200
PAGE_TOKEN_LENGTH_MAX = 500
# A page of the longest messages has less than one.
BODY_BYTES_MAX = 4 << 20
# Twilio schedules 35 days ahead at most, and lists the newest messages first.
SCHEDULED_AHEAD_MAX = timedelta(days=36)
OUTCOME_OF: Mapping[type[TwilioError], str] = {
    TwilioUnavailableError: "unavailable",
    TwilioBusyError: "busy",
    TwilioRefusedError: "refused",
}
MESSAGE_LENGTH_MAX = 200
ACCOUNT_SID = re.compile(r"AC[0-9a-fA-F]{32}")
# More of one name than ever were made under one intent.
LISTED_MAX = 50
AnswerT = TypeVar("AnswerT")

# The library falls back to the process's environment where this is empty, and TWILIO_REGION or
# TWILIO_EDGE in it would rewrite the host, whatever it is.
LIBRARY_ENVIRONMENT = {"TOLLGATE": "1"}


class HttpClient(AsyncHttpClient):  # type: ignore[misc]
    """The library's own async client has no working time limit and keeps the last answer."""

    def __init__(self, timeout_seconds: float) -> None:
        super().__init__(getLogger(__name__), is_async=True, timeout=timeout_seconds)
        self._session = ClientSession(
            timeout=ClientTimeout(total=timeout_seconds), cookie_jar=DummyCookieJar()
        )

    async def request(  # noqa: PLR0917 - the library's signature
        self,
        method: str,
        uri: str,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002 - the library's signature; it never sets one
        allow_redirects: bool = False,  # noqa: ARG002, FBT001, FBT002 - the library's signature
    ) -> Response:
        """Send one request; an answer that the library could not make sense of raises here."""
        credentials = {"Authorization": encode_basic_auth(*auth)} if auth else {}
        try:
            async with self._session.request(
                method,
                uri,
                params=params,
                data=data,
                headers={**(headers or {}), **credentials},
                allow_redirects=False,
            ) as answer:
                text = await _read_bounded(answer)
        except (ClientError, TimeoutError, OSError) as error:
            # By its type only: the text of some errors quotes what was received.
            raise TwilioUnavailableError(f"no answer: {type(error).__name__}") from error
        _require_an_answer(answer.status, answer.headers, text)
        return Response(answer.status, text, answer.headers)

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()


class TwilioRestAccounts:
    """The accounts below the platform's own."""

    def __init__(
        self,
        *,
        parent_account_sid: str,
        auth_token: str,
        api_base: str,
        timeout_seconds: float,
        registry: CollectorRegistry,
    ) -> None:
        self._http_client = HttpClient(timeout_seconds)
        client = Client(
            parent_account_sid,
            auth_token,
            http_client=self._http_client,
            environment=LIBRARY_ENVIRONMENT,
        )
        client.api.base_url = api_base
        self._accounts = client.api.v2010.accounts
        _, _, basic = encode_basic_auth(parent_account_sid, auth_token).partition(" ")
        self._secrets = (auth_token, basic)
        self._calls = Counter(
            "tollgate_twilio_calls",
            "Calls to Twilio, by what was asked and outcome.",
            ["call", "outcome"],
            registry=registry,
        )

    async def fetch_status(self, account_sid: str) -> ObservedState:
        """Return how an account stands."""
        request = self._accounts(account_sid).fetch_async()
        return await self._count("fetch_status", self._status(account_sid, request))

    async def set_status(self, account_sid: str, wanted: WantedState) -> ObservedState:
        """Ask for a state and return how the account stands then."""
        request = self._accounts(account_sid).update_async(status=STATUS_OF[wanted])
        return await self._count("set_status", self._status(account_sid, request))

    async def list_accounts(self, friendly_name: str) -> list[TwilioAccount]:
        """Return the accounts of a name."""
        request = self._accounts.list_async(friendly_name=friendly_name, limit=LISTED_MAX)
        return await self._count("list_accounts", self._listed(request))

    async def create_account(self, friendly_name: str) -> TwilioAccount:
        """Make an account."""
        request = self._accounts.create_async(friendly_name=friendly_name)
        return await self._count("create_account", self._created(request))

    async def list_open_calls(self, account_sid: str) -> list[str]:
        """Return calls that have not ended."""
        request = self._open_calls(account_sid)
        return await self._count("list_calls", self._answer(request))

    async def _open_calls(self, account_sid: str) -> list[str]:
        calls = self._accounts(account_sid).calls
        found: dict[str, None] = {}
        # In the order of a call's life, so that one that goes on meanwhile is not missed.
        for status in OPEN_CALL_STATUSES:
            page = await calls.page_async(status=status, page_size=PAGE_SIZE)
            found.update(dict.fromkeys(_sid(each, CALL_SID) for each in page))
        return list(found)

    async def end_call(self, account_sid: str, call_sid: str) -> None:
        """Ask for a call's end: `completed` ends those too that nobody has answered yet."""
        request = self._accounts(account_sid).calls(call_sid).update_async(status="completed")
        await self._count("end_call", self._answer(request))

    async def list_scheduled_messages(self, account_sid: str, page: str) -> ScheduledMessages:
        """Return what is scheduled on a page of messages, newest first."""
        request = self._scheduled_messages(account_sid, page)
        return await self._count("list_messages", self._answer(request))

    async def _scheduled_messages(self, account_sid: str, page: str) -> ScheduledMessages:
        token = {"page_token": page} if page else {}
        listed = await self._accounts(account_sid).messages.page_async(page_size=PAGE_SIZE, **token)
        messages = list(listed)
        scheduled = [_sid(each, MESSAGE_SID) for each in messages if each.status == "scheduled"]
        oldest = messages[-1].date_created if messages else None
        is_past = oldest is not None and oldest < datetime.now(UTC) - SCHEDULED_AHEAD_MAX
        return ScheduledMessages(scheduled, None if is_past else _page_token(listed.next_page_url))

    async def cancel_message(self, account_sid: str, message_sid: str) -> None:
        """Let a scheduled message never be sent."""
        request = self._accounts(account_sid).messages(message_sid).update_async(status="canceled")
        await self._count("cancel_message", self._answer(request))

    async def close(self) -> None:
        """Close every connection."""
        await self._http_client.close()

    async def _count(self, call: str, answer: Awaitable[AnswerT]) -> AnswerT:
        try:
            answered = await answer
        except TwilioError as error:
            self._calls.labels(call, OUTCOME_OF[type(error)]).inc()
            raise
        self._calls.labels(call, "answered").inc()
        return answered

    async def _status(self, account_sid: str, request: Awaitable[Any]) -> ObservedState:
        account = await self._answer(request)
        observed = OBSERVED.get(str(account.status))
        if observed is None or str(account.sid).lower() != account_sid.lower():
            raise TwilioUnavailableError("an answer that does not say how the account stands")
        return observed

    async def _listed(self, request: Awaitable[list[Any]]) -> list[TwilioAccount]:
        return [_to_account(each) for each in await self._answer(request)]

    async def _created(self, request: Awaitable[Any]) -> TwilioAccount:
        return _to_account(await self._answer(request))

    async def _answer(self, request: Awaitable[AnswerT]) -> AnswerT:
        try:
            return await request
        except (TwilioRestException, TwilioServiceException) as error:
            raise self._refusal(error) from None
        except TwilioException as error:
            raise self._refusal_of_list(error) from None
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise TwilioUnavailableError("an answer that cannot be read") from error

    def _refusal(self, error: TwilioRestException | TwilioServiceException) -> TwilioRefusedError:
        message = str(error.title if isinstance(error, TwilioServiceException) else error.msg)
        for secret in self._secrets:
            message = message.replace(secret, "…")
        code = error.code if isinstance(error.code, int) else error.status
        return TwilioRefusedError(code, storable_text(message, MESSAGE_LENGTH_MAX))

    def _refusal_of_list(self, error: TwilioException) -> TwilioError:
        """The library's lists raise the whole answer, or that they cannot read it."""
        answer = (None, *error.args)[-1]
        if not isinstance(answer, Response) or answer.ok:
            return TwilioUnavailableError("an answer that cannot be read")
        return self._refusal(Version.exception("GET", "", answer, "not listed"))


def _sid(listed: Any, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(str(listed.sid)):
        raise TwilioUnavailableError("a list that does not say what is on it")
    return str(listed.sid)


def _page_token(url: str | None) -> str | None:
    """Return what of an address names the next page; the address itself is not trusted."""
    if not url:
        return None
    token = parse_qs(urlsplit(url).query).get("PageToken", [""])[0]
    if not 0 < len(token) <= PAGE_TOKEN_LENGTH_MAX:
        raise TwilioUnavailableError("a list that does not say how it goes on")
    return storable_text(token, PAGE_TOKEN_LENGTH_MAX)


async def _read_bounded(answer: ClientResponse) -> str:
    body = bytearray()
    async for piece in answer.content.iter_any():
        body += piece
        if len(body) > BODY_BYTES_MAX:
            raise TwilioUnavailableError("an answer that is too long")
    return body.decode(errors="replace")


def _to_account(account: Any) -> TwilioAccount:
    state = OBSERVED.get(str(account.status))
    made = isinstance(account.date_created, datetime) and account.date_created.tzinfo is not None
    if state is None or not made or not ACCOUNT_SID.fullmatch(str(account.sid)):
        raise TwilioUnavailableError("an answer that does not say which account it is of")
    account_sid = normal_account_sid(account.sid)
    return TwilioAccount(account_sid, str(account.friendly_name), state, account.date_created)


def _require_an_answer(status: int, headers: Mapping[str, str], text: str) -> None:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise TwilioBusyError(_retry_after_seconds(headers))
    # What comes with a redirection the library would take for an answer.
    is_answer = status < 300 or 400 <= status < 500  # noqa: PLR2004
    if not is_answer or not _is_json_object(text):
        raise TwilioUnavailableError(f"HTTP {status} without a usable answer")


def _retry_after_seconds(headers: Mapping[str, str]) -> float:
    value = headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else 0.0


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (RecursionError, ValueError):
        return False
