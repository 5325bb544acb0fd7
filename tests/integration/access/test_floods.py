"""Whoever sends too much, too little or nothing keeps no service from its next good caller."""

import asyncio
import os
import ssl
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any, Final

from tests.support.doors import Door
from tests.support.http2 import (
    CANCEL,
    CONTINUATION,
    DATA,
    END_HEADERS,
    GOAWAY,
    HEADERS,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Connection,
    block,
    connected,
    data_frames,
    frame,
    greeted,
    headers_of,
    message,
    trust_of,
)
from tests.support.pulse import READING, seconds_of_next, serving_as_before
from tests.support.searching import times

CHUNKS: Final = times(20)
FRAMES: Final = 50
IDLE: Final = times(150)
UNKNOWN_KIND: Final = 0xFA
HELLO: Final = bytes.fromhex("1603010200010001fc0303")
INITIAL_WINDOW_SIZE: Final = 4

PINGS: Final = frame(PING, payload=b"12345678") * FRAMES

# The bytes of a chunk, by its number and the headers of a call.
Flood = Callable[[int, bytes], bytes]


def streams(number: int) -> range:
    """Return the streams of a chunk: odd, and none of them used before."""
    return range(2 * FRAMES * number + 1, 2 * FRAMES * (number + 1), 2)


def once(number: int, begins: bytes, then: bytes) -> bytes:
    """Return a chunk of something that has a beginning."""
    return then if number else begins + then


FLOODS: Final[dict[str, Flood]] = {
    "calls that are reset at once": lambda number, headers: b"".join(
        frame(HEADERS, END_HEADERS, stream, headers) + frame(RST_STREAM, 0, stream, CANCEL)
        for stream in streams(number)
    ),
    "calls with a message that are reset": lambda number, headers: b"".join(
        frame(HEADERS, END_HEADERS, stream, headers)
        + data_frames(message(b""), stream)
        + frame(RST_STREAM, 0, stream, CANCEL)
        for stream in streams(number)
    ),
    "calls that never end": lambda number, headers: b"".join(
        frame(HEADERS, END_HEADERS, stream, headers) for stream in streams(number)
    ),
    "calls without a message": lambda number, headers: b"".join(
        frame(HEADERS, END_HEADERS, stream, headers) + data_frames(b"", stream)
        for stream in streams(number)
    ),
    "headers without end": lambda number, headers: once(
        number,
        frame(HEADERS, 0, 1, headers),
        frame(CONTINUATION, 0, 1, block([(b"x", b"a" * 1000)] * 15)),
    ),
    "headers without content": lambda number, headers: once(
        number, frame(HEADERS, 0, 1, headers), frame(CONTINUATION, 0, 1) * FRAMES
    ),
    "headers that unfold": lambda number, headers: once(
        number,
        frame(HEADERS, END_HEADERS, 1, headers + b"\x40\x01x" + block([(b"", b"a" * 4000)])[2:]),
        frame(HEADERS, END_HEADERS, 2 * number + 3, headers + b"\xbe" * 1000),
    ),
    "pieces of nothing": lambda number, headers: once(
        number, frame(HEADERS, END_HEADERS, 1, headers), frame(DATA, 0, 1) * FRAMES
    ),
    "pings": lambda _number, _headers: PINGS,
    "pings whose answers are not read": lambda _number, _headers: PINGS,
    "settings": lambda _number, _headers: frame(SETTINGS) * FRAMES,
    "settings whose answers are not read": lambda _number, _headers: frame(SETTINGS) * FRAMES,
    "windows": lambda _number, _headers: frame(WINDOW_UPDATE, payload=(1).to_bytes(4)) * FRAMES,
    "priorities": lambda number, _headers: b"".join(
        frame(PRIORITY, 0, stream, bytes(5)) for stream in streams(number)
    ),
    "goodbyes": lambda _number, _headers: frame(GOAWAY, payload=bytes(1000)) * FRAMES,
    "frames of no kind": lambda _number, _headers: frame(UNKNOWN_KIND, payload=bytes(99)) * FRAMES,
    "noise": lambda _number, _headers: os.urandom(1000),
}

UNREAD: Final = {what for what in FLOODS if what.endswith("not read")}


async def flood(door: Door, make: Flood, path: str, *, reads: bool) -> None:
    """Send all of it, as fast as it is taken, for as long as the other end has patience."""
    headers = block(headers_of(path))
    async with greeted(door) as connection:
        reading = asyncio.create_task(read_on(connection) if reads else asyncio.Event().wait())
        for number in range(CHUNKS):
            with suppress(TimeoutError):
                await asyncio.wait_for(connection.send(make(number, headers)), 0.5)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def read_on(connection: Connection) -> bool:
    """Read whatever is sent, until the end."""
    with suppress(ConnectionError, ssl.SSLError):
        while await connection.reader.read(65_536):
            pass
    return True


async def call_on_and_on(door: Door, service: str) -> None:
    """Call as somebody good, one call after the other. Fails if a call fails."""
    path, body = READING[service]
    async with door.open("operator_reader") as channel:
        rpc: Any = channel.unary_unary(path)
        while True:
            await rpc(body, timeout=30.0, wait_for_ready=True)


async def test_a_flood_of_anything_keeps_nobody_out(doors: Mapping[str, Door]) -> None:
    async with serving_as_before(doors):
        good = [asyncio.create_task(call_on_and_on(door, name)) for name, door in doors.items()]
        for what, make in FLOODS.items():
            await asyncio.gather(
                *(
                    flood(door, make, READING[name][0], reads=what not in UNREAD)
                    for name, door in doors.items()
                )
            )
        for task in good:
            task.cancel()
        ends = await asyncio.gather(*good, return_exceptions=True)
    assert [type(end) for end in ends] == [asyncio.CancelledError] * len(doors)


async def test_connections_that_say_nothing_keep_nobody_out(doors: Mapping[str, Door]) -> None:
    async with AsyncExitStack() as idle, serving_as_before(doors):
        for door in doors.values():
            trust = trust_of(door, "sender")
            for number in range(IDLE):
                # Without a word; in the middle of a handshake; as somebody who is known.
                kind = number % 3
                connection = await idle.enter_async_context(
                    connected(door, trust if kind == 2 else None)
                )
                if kind == 1:
                    await connection.send(HELLO, os.urandom(100))


async def test_strangers_of_all_kinds_keep_nobody_out(doors: Mapping[str, Door]) -> None:
    async def come(door: Door, number: int) -> None:
        trust = trust_of(door, None) if number % 2 else None
        with suppress(ssl.SSLError, ConnectionError):
            async with connected(door, trust) as connection:
                await connection.send(os.urandom(500))
                assert await asyncio.wait_for(read_on(connection), 20.0)

    async with serving_as_before(doors):
        for number in range(CHUNKS):
            await asyncio.gather(*(come(door, number) for door in doors.values()))


async def test_answers_that_are_never_read_keep_nobody_out(doors: Mapping[str, Door]) -> None:
    door = doors["wallet"]
    verify = "/tollgate.wallet.v1.WalletService/VerifyLedger"
    async with (
        serving_as_before(doors, "wallet"),
        greeted(door, "operator_reader", [(INITIAL_WINDOW_SIZE, 0)]) as connection,
    ):
        for number in range(IDLE):
            stream = 2 * number + 1
            headers = frame(HEADERS, END_HEADERS, stream, block(headers_of(verify)))
            await connection.send(headers, data_frames(message(b""), stream))
        # More of them than there are connections to the database.
        assert await seconds_of_next(door, "wallet") < 10.0
