"""Reads that take their time: a few at once, in a pool of their own."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, TypeVar

from libs.database import Connection, Database

# Apart, so that whoever lists entries does not wait for those who sum up or prove the ledger.
SHORT_READS_AT_ONCE = 3
LONG_READS_AT_ONCE = 3

ArgumentsT = ParamSpec("ArgumentsT")
ResultT = TypeVar("ResultT")


class Reader:
    """Lets a few read at a time: who waits for a turn is not turned away for that."""

    def __init__(self, database: Database, at_once: int) -> None:
        self._database = database
        self._room = asyncio.Semaphore(at_once)

    async def read(
        self,
        work: Callable[Concatenate[Connection, ArgumentsT], Awaitable[ResultT]],
        *args: ArgumentsT.args,
        **kwargs: ArgumentsT.kwargs,
    ) -> ResultT:
        """Return what the work has read, all of it as it was at one moment."""
        async with self._room:
            return await self._database.read_snapshot(work, *args, **kwargs)

    async def ask(
        self,
        work: Callable[Concatenate[Connection, ArgumentsT], Awaitable[ResultT]],
        *args: ArgumentsT.args,
        **kwargs: ArgumentsT.kwargs,
    ) -> ResultT:
        """Return what a single statement has read: it needs no transaction."""
        async with self._room:
            return await self._database.run(work, *args, **kwargs)
