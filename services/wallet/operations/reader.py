"""Reads that may take long."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, TypeVar

from libs.database import Connection, Database

READS_AT_ONCE = 3

ArgumentsT = ParamSpec("ArgumentsT")
ResultT = TypeVar("ResultT")


class Reader:
    """Lets a few read at a time: who waits for a turn is not turned away for that."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._room = asyncio.Semaphore(READS_AT_ONCE)

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
