"""Waiting for the message of a call, which must not take for ever."""

import asyncio
from typing import Any, cast

import grpc

from libs.errors import invalid_field

# For a message of 4 MiB, over a line that is slow.
MESSAGE_SECONDS_MAX = 30.0


class Messages:
    """Reads the one message of each call.

    Nearly every message is there already when it is asked for. So all of them share one timer: one
    for each takes 7 % of the time of a call that does little else.
    """

    def __init__(self) -> None:
        # Since when each task waits, those that have waited longest first.
        self._waiting: dict[asyncio.Task[Any], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def read(self, context: Any) -> bytes:
        """Return the message of a call. Raises InvalidArgumentError if it does not come."""
        task = asyncio.current_task()
        assert task is not None
        self._wait(task)
        try:
            message = await context.read()
        except asyncio.CancelledError:
            if task in self._waiting or task.uncancel():
                raise
            raise invalid_field("request", f"has not come in {MESSAGE_SECONDS_MAX:g} s") from None
        finally:
            self._waiting.pop(task, None)
        if message is grpc.aio.EOF:
            raise invalid_field("request", "is missing")
        return cast("bytes", message)

    def _wait(self, task: asyncio.Task[Any]) -> None:
        loop = asyncio.get_running_loop()
        self._waiting[task] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(MESSAGE_SECONDS_MAX, self._end_late)

    def _end_late(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        for task, since in list(self._waiting.items()):
            if since + MESSAGE_SECONDS_MAX > loop.time():
                self._timer = loop.call_at(since + MESSAGE_SECONDS_MAX, self._end_late)
                return
            del self._waiting[task]
            task.cancel()
