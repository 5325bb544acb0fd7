"""What tests do with a simulated Twilio, in few words."""

from collections.abc import Awaitable
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client
from twilio.rest.api.v2010.account import AccountContext

from tests.support.twilio_openapi import check_exchange

PARENT = "AC" + "0" * 32
ONE, OTHER = "AC" + "1" * 32, "AC" + "e" * 32
TOKEN = "token of the parent"
TOO_LATE_SECONDS = 10.0


class CheckedHttpClient(AsyncTwilioHttpClient):  # type: ignore[misc]  # untyped
    """Gives up in time, which the library's own does not, and knows what Twilio would answer."""

    async def request(  # noqa: PLR0917 - the library's signature
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        **options: Any,
    ) -> Response:
        options["timeout"] = self.timeout
        answered = await super().request(method, uri, params, data, headers, auth, **options)
        check_exchange(
            method=method,
            url=uri,
            params=params,
            form=data,
            status=answered.status_code,
            answer=answered.text,
        )
        return answered


def client_of(
    base_url: str, http_client: AsyncTwilioHttpClient, sid: str = PARENT, token: str = TOKEN
) -> Client:
    # An empty environment would be taken for none, and TWILIO_REGION would rewrite the host.
    client = Client(sid, token, http_client=http_client, environment={"TWILIO_REGION": ""})
    client.api.base_url = base_url
    return client


def account(client: Client, sid: str = ONE) -> AccountContext:
    return client.api.v2010.accounts(sid)


async def refusal_of(call: Awaitable[object]) -> tuple[int, int | None]:
    """The HTTP status and Twilio's code."""
    with pytest.raises(TwilioRestException) as refused:
        await call
    return refused.value.status, refused.value.code
