"""HTTP for Stripe's library: aiohttp, with a time limit, a bound, and no way to another host."""

import asyncio
from collections.abc import Awaitable, Mapping

import stripe
from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar

ANSWER_LENGTH_MAX = 2 * 1024 * 1024


class HttpClient(stripe.HTTPClient):
    """The library's own clients follow redirects, read without end or want another library."""

    name = "aiohttp"

    def __init__(self, timeout_seconds: float) -> None:
        super().__init__()
        self._session = ClientSession(
            timeout=ClientTimeout(total=timeout_seconds), cookie_jar=DummyCookieJar()
        )

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | None = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send one request and read its answer."""
        try:
            async with self._session.request(
                method, url, headers=headers, data=post_data, allow_redirects=False
            ) as answer:
                body = bytearray()
                async for piece in answer.content.iter_any():
                    body += piece
                    if len(body) > ANSWER_LENGTH_MAX:
                        raise _no_answer("an answer without end", should_retry=False)
                return bytes(body), answer.status, answer.headers
        except (ClientError, TimeoutError, OSError) as error:
            # By its type only: the text of some errors quotes what was received.
            raise _no_answer(f"no answer: {type(error).__name__}", should_retry=True) from error

    def sleep_async(self, secs: float) -> Awaitable[None]:
        """Wait before the library asks again."""
        return asyncio.sleep(secs)

    async def close_async(self) -> None:
        """Close every connection."""
        await self._session.close()


def _no_answer(problem: str, *, should_retry: bool) -> stripe.APIConnectionError:
    return stripe.APIConnectionError(  # type: ignore[no-untyped-call]
        problem, should_retry=should_retry
    )
