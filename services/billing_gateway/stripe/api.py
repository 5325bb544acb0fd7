"""Stripe's API through Stripe's own library; its answers are read like its events.

Nothing of an answer leaves the room of this vendor but what was read from it. Of a refusal only
Stripe's message is told, and never the key, which Stripe quotes back to those it does not know.
"""

import asyncio
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Literal, TypeAlias

import stripe

from libs.text import storable_text
from services.billing_gateway.domain.values import Provider
from services.billing_gateway.ports import (
    ProviderError,
    ProviderRefusedError,
    ProviderUnavailableError,
    UnknownToProviderError,
)
from services.billing_gateway.provider_calls import ProviderCalls
from services.billing_gateway.reading import parse_object
from services.billing_gateway.stripe.http_client import HttpClient
from services.billing_gateway.stripe.translation.told import Told

# Asked again after no answer, and after one that is a failure of Stripe's: always with the same
# idempotency key.
RETRIES_MAX = 2
CALLS_MAX = 8
MESSAGE_LENGTH_MAX = 200

Method: TypeAlias = Literal["get", "post", "delete"]

# What the library lets through on answers that no Stripe gives.
UNREADABLE = (AttributeError, KeyError, TypeError, ValueError, RecursionError)


class StripeApi:
    """The account that the key belongs to."""

    def __init__(
        self, api_key: str, api_base: str, timeout_seconds: float, calls: ProviderCalls
    ) -> None:
        # Else the library keeps an id of this machine in the home directory, and sends it along.
        stripe.enable_telemetry = False
        self._api_key = api_key
        self._limit_seconds = timeout_seconds * (RETRIES_MAX + 1)
        self._calls = calls
        self._slots = asyncio.Semaphore(CALLS_MAX)
        self._http_client = HttpClient(timeout_seconds)
        self._client = stripe.StripeClient(
            api_key,
            http_client=self._http_client,
            base_addresses={"api": api_base},
            max_network_retries=RETRIES_MAX,
        )

    async def get(self, call: str, path: str, **parameters: Any) -> Told:
        """Return an object, and the time at which Stripe answered."""
        return await self._ask(call, "get", path, **parameters)

    async def post(self, call: str, path: str, *, key: str = "", **parameters: Any) -> Told:
        """Change something, once for each key; without one, once for each call."""
        options = {"idempotency_key": key} if key else {}
        return await self._ask(call, "post", path, **options, **parameters)

    async def delete(self, call: str, path: str, **parameters: Any) -> Told:
        """End something."""
        return await self._ask(call, "delete", path, **parameters)

    async def close(self) -> None:
        """Close every connection."""
        await self._http_client.close_async()

    async def _ask(self, call: str, method: Method, path: str, **parameters: Any) -> Told:
        with self._calls.counted(Provider.STRIPE, call):
            return await self._ask_in_time(method, path, **parameters)

    async def _ask_in_time(self, method: Method, path: str, **parameters: Any) -> Told:
        try:
            async with asyncio.timeout(self._limit_seconds), self._slots:
                answer = await self._client.raw_request_async(method, path, **parameters)
            time = parsedate_to_datetime(answer.headers["Date"])
            return Told(parse_object(answer.body.encode()), time, time)
        except stripe.StripeError as error:
            # Without their cause: the library's errors hold whole answers.
            raise self._to_error(error) from None
        except TimeoutError:
            raise ProviderUnavailableError("no answer in time") from None
        except UNREADABLE as error:
            problem = f"an answer that cannot be read: {type(error).__name__}"
            raise ProviderUnavailableError(problem) from None

    def _to_error(self, error: stripe.StripeError) -> ProviderError:
        match error:
            case stripe.AuthenticationError():
                return ProviderRefusedError("Stripe does not know STRIPE_API_KEY")
            case stripe.PermissionError():
                return ProviderRefusedError("STRIPE_API_KEY is not allowed to do that")
            case stripe.InvalidRequestError(http_status=HTTPStatus.NOT_FOUND):
                return UnknownToProviderError(self._message(error))
            case stripe.InvalidRequestError() | stripe.CardError() | stripe.IdempotencyError():
                return ProviderRefusedError(self._message(error))
            case stripe.APIConnectionError():
                return ProviderUnavailableError(self._message(error))
            case _:
                return ProviderUnavailableError(f"HTTP {error.http_status} without a usable answer")

    def _message(self, error: stripe.StripeError) -> str:
        message = str(error.user_message).replace(self._api_key, "…")
        return storable_text(message, MESSAGE_LENGTH_MAX)
