"""HTTP/2 by hand, for what no decent client sends."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from hpack import Decoder

from dev.stack.certificates import directory_of
from libs.rpc.credentials import AUTHORITIES_FILE, CERTIFICATE_FILE, KEY_FILE
from tests.support.doors import Door

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING = 0x0, 0x1, 0x2, 0x3, 0x4, 0x6
GOAWAY, WINDOW_UPDATE, CONTINUATION = 0x7, 0x8, 0x9
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
CANCEL: Final = (8).to_bytes(4)
FRAME_BYTES_MAX: Final = 16_000
# A length of a text that does not fit into seven bits.
LONG: Final = 127

ANSWERS: Final = (b"grpc-status", b"grpc-message")

Header = tuple[bytes, bytes]


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """Return one frame."""
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload


def block(headers: Iterable[Header]) -> bytes:
    """Return headers as they go over the wire: literally, in no table."""
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in headers)


def _text(text: bytes) -> bytes:
    length = len(text)
    if length < LONG:
        return bytes((length,)) + text
    length -= LONG
    encoded = bytes((LONG,))
    while length > LONG:
        encoded += bytes((length % 128 + 128,))
        length //= 128
    return encoded + bytes((length,)) + text


def headers_of(path: str | bytes, **changes: bytes | None) -> list[Header]:
    """Return the headers of a call; changes name them with _ for -, and `_path` for `:path`."""
    headers: dict[bytes, bytes | None] = {
        b":method": b"POST",
        b":scheme": b"https",
        b":path": path if isinstance(path, bytes) else path.encode(),
        b":authority": b"localhost",
        b"content-type": b"application/grpc",
        b"te": b"trailers",
    }
    for name, value in changes.items():
        key = f":{name[1:]}" if name.startswith("_") else name.replace("_", "-")
        headers[key.encode()] = value
    return [(name, value) for name, value in headers.items() if value is not None]


def request_frames(headers: Iterable[Header], stream: int = 1) -> bytes:
    """Return the frames of a call's headers, as many as it takes."""
    raw = block(headers)
    parts = [raw[at : at + FRAME_BYTES_MAX] for at in range(0, len(raw), FRAME_BYTES_MAX)]
    last = len(parts) - 1
    return b"".join(
        frame(
            CONTINUATION if number else HEADERS, END_HEADERS if number == last else 0, stream, part
        )
        for number, part in enumerate(parts)
    )


def message(body: bytes, flag: int = 0, length: int | None = None) -> bytes:
    """Return a message of gRPC, which may lie about what it is."""
    return bytes((flag,)) + (len(body) if length is None else length).to_bytes(4) + body


def data_frames(body: bytes, stream: int = 1) -> bytes:
    """Return the frames of all that is sent after the headers, and of its end."""
    parts = [body[at : at + FRAME_BYTES_MAX] for at in range(0, len(body), FRAME_BYTES_MAX)]
    return b"".join(frame(DATA, 0, stream, part) for part in parts) + frame(
        DATA, END_STREAM, stream
    )


@dataclass(frozen=True)
class Answer:
    """How a stream or a connection has ended."""

    # Of gRPC; empty where there was no such answer.
    status: str = ""
    text: str = ""
    # The stream was reset, or all of the connection has ended.
    reset: int | None = None
    ended: bool = False


@dataclass
class Connection:
    """One connection, on which whatever somebody likes is written."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    decoder: Decoder = field(default_factory=Decoder)

    async def send(self, *frames: bytes) -> None:
        """Write; a connection that the other end has closed is no failure."""
        with suppress(ConnectionError, ssl.SSLError):
            self.writer.write(b"".join(frames))
            await self.writer.drain()

    async def answer(self, *, acknowledges: bool = True) -> Answer:
        """Read until a stream has its answer, or until the end."""
        while True:
            try:
                head = await self.reader.readexactly(9)
                payload = await self.reader.readexactly(int.from_bytes(head[:3]))
            except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
                return Answer(ended=True)
            kind, flags = head[3], head[4]
            if kind == RST_STREAM:
                return Answer(reset=int.from_bytes(payload))
            if kind == HEADERS:
                headers = dict(self.decoder.decode(payload, raw=True))
                if flags & END_STREAM:
                    status, text = (headers.get(name, b"").decode() for name in ANSWERS)
                    return Answer(status, text)
            if kind == SETTINGS and not flags & ACK and acknowledges:
                await self.send(frame(SETTINGS, ACK))


def trust_of(door: Door, role: str | None) -> ssl.SSLContext:
    """Return what somebody with a role shows and believes; without one, nothing is shown."""
    own = directory_of(role or "sender", door.certificates_directory)
    trust = ssl.create_default_context(cafile=str(own / AUTHORITIES_FILE))
    trust.set_alpn_protocols(["h2"])
    if role is not None:
        trust.load_cert_chain(own / CERTIFICATE_FILE, own / KEY_FILE)
    return trust


@asynccontextmanager
async def connected(door: Door, trust: ssl.SSLContext | None) -> AsyncIterator[Connection]:
    """Connect, over TLS if something is believed, and cut the connection at the end."""
    host, _, port = door.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=trust)
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def greeted(
    door: Door, role: str = "sender", settings: Sequence[tuple[int, int]] = ()
) -> AsyncIterator[Connection]:
    """Connect as somebody with a role, and begin as HTTP/2 wants it."""
    payload = b"".join(key.to_bytes(2) + value.to_bytes(4) for key, value in settings)
    async with connected(door, trust_of(door, role)) as connection:
        await connection.send(PREFACE, frame(SETTINGS, payload=payload))
        yield connection
