"""Those who call: each does one thing after another, and asks until it is answered."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import grpc

from tests.support.errors import read_refusal
from tests.support.waiting import tick

AnswerT = TypeVar("AnswerT")


async def answered(call: Callable[[], Awaitable[AnswerT]]) -> AnswerT:
    """Ask for as long as nobody answers."""
    while True:
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
        await tick()


async def reason_of_refusal(call: Callable[[], Awaitable[object]]) -> str:
    """Ask for as long as nobody answers; return why it is refused, nothing if it is not."""
    try:
        await answered(call)
    except grpc.aio.AioRpcError as error:
        return read_refusal(error).reason
    return ""


class Callers:
    """What they are at, and the first that found something wrong."""

    def __init__(self) -> None:
        self._turns: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None
        self._wrong: BaseException | None = None

    def begin(self, caller: str, act: Callable[[], Awaitable[None]]) -> None:
        """Let somebody do something, after all that they were told to do before."""
        turn = self._turns.setdefault(caller, asyncio.Lock())

        async def in_turn() -> None:
            async with turn:
                await act()

        task = asyncio.create_task(in_turn())
        self._tasks.add(task)
        task.add_done_callback(self._end)

    def watch(self, watch: Coroutine[Any, Any, None]) -> None:
        """Let somebody look on for as long as it goes on."""
        self._watch = asyncio.create_task(watch)
        self._watch.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() and self._wrong is None:
            self._wrong = task.exception()

    def require_nothing_wrong(self) -> None:
        if self._wrong is not None:
            raise self._wrong

    async def finish(self) -> None:
        """Return when all is done."""
        while self._tasks and self._wrong is None:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        self.require_nothing_wrong()

    async def abandon(self) -> None:
        """Let nobody do anything any more."""
        tasks = [*self._tasks, *([self._watch] if self._watch else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
