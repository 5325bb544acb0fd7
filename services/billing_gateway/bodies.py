"""Bodies of strangers: read whole and soon, or given up for those that are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import HttpVersion11, hdrs, web

BODY_BYTES_MAX = 256 * 1024
BODY_SECONDS_MAX = 10.0
# Of all that are under way: anybody can send a body, and whose it is shows only at its end.
BODIES_BYTES_MAX = 64 * 1024 * 1024


class BodyUnannouncedError(Exception):
    """Nothing says how long the body is, or that it tells so itself."""


class BodyTooLargeError(Exception):
    """The body is longer than any honest one."""


class BodyIncompleteError(Exception):
    """Whoever sent the body hung up, or sent what is no HTTP."""


class BodyGivenUpError(Exception):
    """Its room was needed, and no body has been waited for longer."""


class _Body:
    """What has come of one, and until when the rest is waited for."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.byte_count = 0
        self.timer = asyncio.timeout(BODY_SECONDS_MAX)


class Bodies:
    """Those that are under way: what has come of them counts, not what they announce."""

    def __init__(self) -> None:
        self._byte_count = 0
        # The longest first.
        self._waiting: dict[_Body, None] = {}

    @asynccontextmanager
    async def holding(self, request: web.Request) -> AsyncIterator[bytes]:
        """Read a body, and count it for as long as it is needed.

        Raises BodyUnannouncedError, BodyTooLargeError, BodyIncompleteError, BodyGivenUpError, or
        TimeoutError.
        """
        _require_announced(request)
        body = _Body()
        try:
            await self._wait_for(body, request)
            whole = bytes(body.content)
            body.content.clear()
            yield whole
        finally:
            self._release(body)

    async def _wait_for(self, body: _Body, request: web.Request) -> None:
        try:
            async with body.timer:
                self._waiting[body] = None
                await _say_continue(request)
                async for chunk in request.content.iter_any():
                    self._add(body, chunk)
                self._require_waiting(body)
        except TimeoutError:
            self._require_waiting(body)
            raise
        except (web.RequestPayloadError, ConnectionError) as error:
            raise BodyIncompleteError from error
        finally:
            self._waiting.pop(body, None)

    def _add(self, body: _Body, chunk: bytes) -> None:
        body.content += chunk
        body.byte_count += len(chunk)
        self._byte_count += len(chunk)
        if body.byte_count > BODY_BYTES_MAX:
            raise BodyTooLargeError
        while self._byte_count > BODIES_BYTES_MAX and self._waiting:
            self._give_up(next(iter(self._waiting)))
        self._require_waiting(body)

    def _give_up(self, body: _Body) -> None:
        del self._waiting[body]
        self._release(body)
        if not body.timer.expired():
            body.timer.reschedule(asyncio.get_running_loop().time())

    def _require_waiting(self, body: _Body) -> None:
        if body not in self._waiting:
            raise BodyGivenUpError

    def _release(self, body: _Body) -> None:
        self._byte_count -= body.byte_count
        body.byte_count = 0
        body.content.clear()


def _require_announced(request: web.Request) -> None:
    if hdrs.CONTENT_LENGTH not in request.headers and not request.body_exists:
        raise BodyUnannouncedError
    if (request.content_length or 0) > BODY_BYTES_MAX:
        raise BodyTooLargeError


async def leave_expectation(request: web.Request) -> None:
    """Let `Expect: 100-continue` be answered once the body's length is known to be allowed."""
    if request.version == HttpVersion11 and not _expects_continue(request):
        raise web.HTTPExpectationFailed


def _expects_continue(request: web.Request) -> bool:
    return request.headers.get(hdrs.EXPECT, "").lower() == "100-continue"


async def _say_continue(request: web.Request) -> None:
    if request.version == HttpVersion11 and _expects_continue(request):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # Else it would pass for the beginning of the answer.
        request.writer.output_size = 0
