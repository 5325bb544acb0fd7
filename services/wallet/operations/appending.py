"""Appends to the ledger while the next entries are decided."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from libs.database import Connection
from services.wallet.domain.values import Entry
from services.wallet.storage.entries import append_entries


class Appending:
    """Keeps PostgreSQL and this process at work at the same time; leaves nothing in flight."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._in_flight: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin with nothing in flight."""
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Wait for what is in flight, even where it does not matter any more."""
        with suppress(*(() if error is None else (Exception,))):
            await self.finish()

    async def add(self, entries: Sequence[Entry]) -> None:
        """Send entries, and return before they are appended."""
        await self.finish()
        self._in_flight = asyncio.create_task(append_entries(self._connection, entries))
        # Its first step is to send them.
        await asyncio.sleep(0)

    async def finish(self) -> None:
        """Wait until all that was sent is appended; raise what it was refused with."""
        in_flight, self._in_flight = self._in_flight, None
        if in_flight is not None:
            await in_flight
