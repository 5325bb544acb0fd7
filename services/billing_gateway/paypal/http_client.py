"""One request to PayPal: an answer within the time limit, or an error that tells no secret."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from aiohttp import (
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    hdrs,
)

from services.billing_gateway.ports import ProviderUnavailableError
from services.billing_gateway.reading import JsonObject, UnreadableError, parse_object

BYTES_MAX = 1024 * 1024
RETRY_AFTER_SECONDS_MAX = 5.0


class BusyError(ProviderUnavailableError):
    """PayPal wants to be asked again, later."""

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A usable answer, good news or not, and PayPal's own time then."""

    status: int
    body: JsonObject
    time: datetime
    debug_id: str


class HttpClient:
    """Sends requests to one base address. Follows nothing and keeps no cookies."""

    def __init__(self, api_base: str, timeout_seconds: float) -> None:
        self._api_base = api_base.rstrip("/")
        self._session = ClientSession(
            cookie_jar=DummyCookieJar(), timeout=ClientTimeout(total=timeout_seconds)
        )

    async def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> HttpAnswer:
        """Return the answer; raise ProviderUnavailableError if there is no usable one."""
        try:
            async with self._session.request(
                method, self._api_base + path, headers=headers, data=body, allow_redirects=False
            ) as answer:
                return await _read(answer)
        except (ClientError, TimeoutError, OSError) as error:
            # By its type only: the text of some errors quotes what was sent or received.
            raise ProviderUnavailableError(f"no answer: {type(error).__name__}") from error

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()


async def _read(answer: ClientResponse) -> HttpAnswer:
    received = bytearray()
    async for piece in answer.content.iter_any():
        received += piece
        if len(received) > BYTES_MAX:
            raise ProviderUnavailableError("an answer that is too long")
    status = answer.status
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise BusyError(f"HTTP {status}", _retry_after_seconds(answer.headers))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or 300 <= status < 400:  # noqa: PLR2004
        raise ProviderUnavailableError(f"HTTP {status} without a usable answer")
    try:
        body = parse_object(bytes(received)) if received else {}
        time = parsedate_to_datetime(answer.headers.get(hdrs.DATE, "")).astimezone(UTC)
    except (UnreadableError, ValueError, OverflowError) as error:
        raise ProviderUnavailableError(f"HTTP {status} without a usable answer") from error
    return HttpAnswer(status, body, time, _debug_id(answer.headers))


def _retry_after_seconds(headers: Mapping[str, str]) -> float:
    value = headers.get(hdrs.RETRY_AFTER, "")
    return min(float(value), RETRY_AFTER_SECONDS_MAX) if value.isdecimal() else 0.0


def _debug_id(headers: Mapping[str, str]) -> str:
    value = headers.get("Paypal-Debug-Id", "")[:64]
    return value if value.isascii() and value.isalnum() else ""
