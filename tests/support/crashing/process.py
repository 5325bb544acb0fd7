"""A service as a process all of whose ways out lead through wires, and that dies without a word."""

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from tests.support.crashing.nursery import Nursery
from tests.support.crashing.wires import Wires
from tests.support.databases import ServiceDatabase
from tests.support.waiting import eventually

CONNECTIONS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = $1
"""


@dataclass
class CrashingProcess:
    """One service, alive or dead."""

    name: str
    nursery: Nursery
    wires: Wires
    # To the service's database, around the wires.
    connection: asyncpg.Connection
    settings: Mapping[str, str]
    log_file: Path
    process_id: int = 0

    async def start(self, **settings: str) -> None:
        """Start it, with further settings."""
        self.process_id = await self.nursery.start(
            self.name, {**self.settings, **settings}, self.log_file
        )

    async def kill(self) -> None:
        """Kill it with no time to say goodbye; nothing is left of it then."""
        with suppress(ProcessLookupError):
            os.kill(self.process_id, signal.SIGKILL)
        await eventually(self._is_alive, lambda alive: not alive)
        await self.wires.mend()
        await eventually(self._count_connections, lambda count: count == 0)

    async def _is_alive(self) -> bool:
        try:
            os.kill(self.process_id, 0)
        except ProcessLookupError:
            return False
        return True

    async def _count_connections(self) -> int:
        return int(await self.connection.fetchval(CONNECTIONS, self.name))


async def database_url_for(database: ServiceDatabase, wires: Wires) -> str:
    """Return where a service finds its database, through the wires."""
    url = urlsplit(database.url)
    role, _, server = url.netloc.rpartition("@")
    url = url._replace(netloc=f"{role}@{await wires.lead_to(server)}")
    # Without asking for TLS first, so that the first thing said is who is speaking.
    return f"{url.geturl()}?sslmode=disable"
