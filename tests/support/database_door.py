"""The way to a database, which can be shut and can lead nowhere."""

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.support.waiting import let_time_pass

CHUNK_BYTES = 65_536
# What a client of PostgreSQL says first that would rather speak TLS: a length, and a number.
SSL_REQUEST = (8).to_bytes(4) + (80_877_103).to_bytes(4)


class DatabaseDoor:
    """Passes on all that is said to a server, and all that it says, while it is open."""

    def __init__(
        self,
        host: str,
        port: int,
        tls: ssl.SSLContext | None = None,
        *,
        delay_seconds: float = 0.0,
    ) -> None:
        """With `tls`, nobody is let in who speaks in clear, though the server is spoken to so.

        With a delay, everything that is said takes so long to arrive.
        """
        self._delay_seconds = delay_seconds
        self._host = host
        self._port = port
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._door_port = 0
        self._passing = asyncio.Event()
        self._writers = set[StreamWriter]()

    @property
    def port(self) -> int:
        """Return where it is, shut or open."""
        return self._door_port

    async def open(self) -> None:
        """Let everybody through from now on, who hung among them."""
        self._passing.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._admit, self._host, self._door_port)
            self._door_port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Let nobody in from now on, and throw everybody out, as a server that has died."""
        if self._server is not None:
            self._server.close()
        self._server = None
        for writer in self._writers:
            writer.transport.abort()

    async def hang(self) -> None:
        """Let everybody in from now on, and answer nothing, as a server that has stopped."""
        self._passing.clear()

    async def _admit(self, reader: StreamReader, writer: StreamWriter) -> None:
        async with self._kept(writer):
            await self._passing.wait()
            if self._tls and not await self._speaks_tls(reader, writer, self._tls):
                return
            further_reader, further_writer = await asyncio.open_connection(self._host, self._port)
            async with self._kept(further_writer):
                ways = [
                    asyncio.ensure_future(self._pass_on(reader, further_writer)),
                    asyncio.ensure_future(self._pass_on(further_reader, writer)),
                ]
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in ways:
                    way.cancel()

    async def _speaks_tls(
        self, reader: StreamReader, writer: StreamWriter, tls: ssl.SSLContext
    ) -> bool:
        try:
            if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
                return False
            writer.write(b"S")
            await writer.start_tls(tls)
        except (OSError, asyncio.IncompleteReadError):
            # Whoever has asked does not believe this certificate, or has none of its own.
            return False
        return True

    async def _pass_on(self, reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                await self._passing.wait()
                if self._delay_seconds:
                    await let_time_pass(self._delay_seconds)
                writer.write(data)
                await writer.drain()

    @asynccontextmanager
    async def _kept(self, writer: StreamWriter) -> AsyncIterator[None]:
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.close()
