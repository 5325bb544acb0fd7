"""PayPal's REST API: with a token, within time limits, and repeated only where that is safe."""

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from http import HTTPStatus

from aiohttp import hdrs

from libs.logs import get_logger
from services.billing_gateway.domain.values import Provider
from services.billing_gateway.paypal.http_client import BusyError, HttpAnswer, HttpClient
from services.billing_gateway.paypal.oauth import OAuth
from services.billing_gateway.ports import (
    ProviderError,
    ProviderRefusedError,
    ProviderUnavailableError,
    UnknownToProviderError,
)
from services.billing_gateway.provider_calls import ProviderCalls
from services.billing_gateway.reading import JsonObject, get_list, optional_word

CALLS_AT_ONCE = 8
RETRIES_MAX = 3
BACK_OFF_SECONDS = 0.2
# With its retries, a call ends within so many times the limit of one.
PATIENCE = 3
# The same was asked before and is under way.
IN_PROGRESS = "PREVIOUS_REQUEST_IN_PROGRESS"
# PayPal's own words for what is wrong. What looks otherwise may quote what was sent, a token too.
REASON = re.compile(r"[A-Z][A-Z0-9_]*")


class PayPalRefusedError(ProviderRefusedError):
    """PayPal said no, for these reasons in its own words, at a time of its own."""

    def __init__(self, name: str, issues: tuple[str, ...], time: datetime) -> None:
        super().__init__(": ".join(filter(None, ["PayPal refused", name, ", ".join(issues)])))
        self.issues = issues
        self.time = time


class PayPalApi:
    """Asks PayPal. Each call is counted; what is logged of it holds no header and no body."""

    def __init__(
        self, http_client: HttpClient, oauth: OAuth, timeout_seconds: float, calls: ProviderCalls
    ) -> None:
        self._http_client = http_client
        self._oauth = oauth
        self._seconds_max = PATIENCE * timeout_seconds
        self._calls = calls
        self._slots = asyncio.Semaphore(CALLS_AT_ONCE)

    async def get(self, call: str, path: str) -> HttpAnswer:
        """Ask for an object."""
        return await self._ask(call, lambda: self._send(hdrs.METH_GET, path, {}, None))

    async def post(self, call: str, path: str, body: JsonObject, request_id: str) -> HttpAnswer:
        """Ask PayPal to do something, once for each request id however often it is asked."""
        headers = {
            hdrs.CONTENT_TYPE: "application/json",
            "Prefer": "return=representation",
            "PayPal-Request-Id": request_id,
        }
        sent = json.dumps(body).encode()
        return await self._ask(call, lambda: self._send(hdrs.METH_POST, path, headers, sent))

    async def _ask(self, call: str, ask: Callable[[], Awaitable[HttpAnswer]]) -> HttpAnswer:
        with self._calls.counted(Provider.PAYPAL, call):
            return await self._ask_in_time(ask)

    async def _ask_in_time(self, ask: Callable[[], Awaitable[HttpAnswer]]) -> HttpAnswer:
        try:
            async with asyncio.timeout(self._seconds_max), self._slots:
                return await _ask_again(ask)
        except TimeoutError as error:
            raise ProviderUnavailableError("no answer in time") from error

    async def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> HttpAnswer:
        answer = await self._send_with_token(method, path, headers, body)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            answer = await self._send_with_token(method, path, headers, body)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise _refusal(answer)
        return answer

    async def _send_with_token(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> HttpAnswer:
        token = await self._oauth.token()
        allowed = {**headers, hdrs.AUTHORIZATION: f"Bearer {token}"}
        answer = await self._http_client.send(method, path, allowed, body)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self._oauth.drop(token)
        return answer


async def _ask_again(ask: Callable[[], Awaitable[HttpAnswer]]) -> HttpAnswer:
    """Ask until there is an answer. What is asked for twice is the same: a look, or one id."""
    for number in range(RETRIES_MAX):
        try:
            return await ask()
        except ProviderUnavailableError as error:
            wanted = error.retry_after_seconds if isinstance(error, BusyError) else 0.0
            back_off = BACK_OFF_SECONDS * 2**number * random.uniform(0.5, 1.5)
            await asyncio.sleep(max(wanted, back_off))
    return await ask()


def _refusal(answer: HttpAnswer) -> ProviderError:
    name = _reason(answer.body, "name")
    details = get_list(answer.body, "details")
    issues = tuple(filter(None, (_reason(each, "issue") for each in details)))
    get_logger().info(
        "paypal_refused", status=answer.status, name=name, issues=issues, debug_id=answer.debug_id
    )
    if IN_PROGRESS in issues or answer.status == HTTPStatus.CONFLICT:
        return BusyError("PayPal is still busy with the same", 0.0)
    if answer.status == HTTPStatus.NOT_FOUND:
        return UnknownToProviderError("PayPal knows no such object")
    return PayPalRefusedError(name, issues, answer.time)


def _reason(value: JsonObject, name: str) -> str:
    found = optional_word(value, name)
    return found if REASON.fullmatch(found) else ""
