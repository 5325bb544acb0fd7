"""The token that PayPal wants with every call; fetched by one at a time and kept while it lasts."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from aiohttp import encode_basic_auth, hdrs

from services.billing_gateway.paypal.http_client import HttpAnswer, HttpClient
from services.billing_gateway.ports import ProviderRefusedError, ProviderUnavailableError

# A token is not used in its last moments: a call under way must not outlive it.
MARGIN_SECONDS = 60.0


@dataclass(frozen=True)
class Credentials:
    """Of the REST app whose money it is."""

    client_id: str
    client_secret: str = field(repr=False)


class OAuth:
    """Tokens for one app."""

    def __init__(self, http_client: HttpClient, credentials: Credentials) -> None:
        self._http_client = http_client
        basic = encode_basic_auth(credentials.client_id, credentials.client_secret)
        self._headers: Mapping[str, str] = {
            hdrs.AUTHORIZATION: basic,
            hdrs.CONTENT_TYPE: "application/x-www-form-urlencoded",
        }
        self._lock = asyncio.Lock()
        self._token = ""
        self._end = 0.0

    async def token(self) -> str:
        """Return a token that lasts a while; raise ProviderError."""
        async with self._lock:
            if not self._token or asyncio.get_running_loop().time() >= self._end:
                await self._fetch()
            return self._token

    def drop(self, token: str) -> None:
        """Use a token no more, since PayPal does not take it."""
        if token == self._token:
            self._token = ""

    async def _fetch(self) -> None:
        start = asyncio.get_running_loop().time()
        answer = await self._http_client.send(
            hdrs.METH_POST, "/v1/oauth2/token", self._headers, b"grant_type=client_credentials"
        )
        self._token, lasts_seconds = _read_token(answer)
        self._end = start + lasts_seconds - MARGIN_SECONDS


def _read_token(answer: HttpAnswer) -> tuple[str, float]:
    if answer.status != HTTPStatus.OK:
        raise ProviderRefusedError("PayPal does not take the client's id and secret")
    token, lasts_seconds = answer.body.get("access_token"), answer.body.get("expires_in")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise ProviderUnavailableError("an answer without a token")
    return token, lasts_seconds if type(lasts_seconds) is int else MARGIN_SECONDS
