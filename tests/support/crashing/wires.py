"""What lies between a gateway and all that it speaks to: it counts steps, and ends at one of them.

A step is one write of the gateway's, to whomever. What only keeps a connection alive is none.
"""

import asyncio
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from dataclasses import dataclass, field

PIECE_BYTES = 1 << 16
# A piece of a request is not answered.
ANSWER_SECONDS_MAX = 0.5

HEALTH_CHECK = b"_health"
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HTTP2_FRAME_BYTES = 9
HTTP2_HEADERS = 1


@dataclass(frozen=True)
class Death:
    """At which step a gateway dies: before it is taken, or when its answer is about to come."""

    step: int
    is_step_taken: bool


@dataclass
class Wires:
    """All ways out of one gateway. They outlive it."""

    # Since the last death was set, until there was none any more.
    step_count: int = 0
    # From then on nothing passes; and later the gateway may be killed.
    is_cut: bool = False
    is_over: bool = False
    _death: Death | None = None
    _servers: list[asyncio.Server] = field(default_factory=list)
    _links: dict["Link", asyncio.Task[None]] = field(default_factory=dict)

    async def lead_to(self, address: str) -> str:
        """Return the address of a way to another one."""
        host, _, port = address.rpartition(":")

        async def connect(*gateway: *tuple[StreamReader, StreamWriter]) -> None:
            link = Link(self, gateway, await asyncio.open_connection(host, int(port)))
            self._links[link] = asyncio.create_task(link.carry())
            await self._links[link]
            del self._links[link]

        server = await asyncio.start_server(connect, host, 0)
        self._servers.append(server)
        return f"{host}:{server.sockets[0].getsockname()[1]}"

    def arm(self, death: Death) -> None:
        """Count from now on, up to there."""
        self.step_count, self._death = 0, death

    def disarm(self) -> None:
        """Let the gateway live, wherever it is."""
        self._death = None

    async def step(self, link: "Link", data: bytes) -> None:
        """Count a step; at the last one, let nothing pass any more but perhaps that."""
        if self._death is None or self.is_cut:
            return
        self.step_count += 1
        if self.step_count != self._death.step:
            return
        self.is_cut = True
        if self._death.is_step_taken:
            await link.take(data)
        self.is_over = True

    async def mend(self) -> None:
        """Hang up everywhere, and carry what comes from now on."""
        carrying = list(self._links.values())
        for link in self._links:
            link.hang_up()
        await asyncio.gather(*carrying)
        self._death, self.is_cut, self.is_over = None, False, False

    async def close(self) -> None:
        """End all ways."""
        for server in self._servers:
            server.close()
        await self.mend()


class Link:
    """One connection of the gateway."""

    def __init__(
        self,
        wires: Wires,
        gateway: tuple[StreamReader, StreamWriter],
        far: tuple[StreamReader, StreamWriter],
    ) -> None:
        self._wires = wires
        self._from_gateway, self._to_gateway = gateway
        self._from_far, self._to_far = far
        self._is_health_check = False
        self._is_rpc = False
        self._answered = asyncio.Event()

    async def carry(self) -> None:
        """Carry what is said, both ways, until one side hangs up."""
        ways = [asyncio.create_task(way) for way in (self._carry_out(), self._carry_back())]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        self.hang_up()
        await asyncio.wait(ways)

    async def take(self, data: bytes) -> None:
        """Take a last step, and wait for the answer, which nobody gets."""
        self._to_far.write(data)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._answered.wait(), ANSWER_SECONDS_MAX)

    def hang_up(self) -> None:
        """Let both sides notice."""
        self._to_gateway.close()
        self._to_far.close()

    async def _carry_out(self) -> None:
        with suppress(OSError):
            data = await self._from_gateway.read(PIECE_BYTES)
            self._is_health_check = HEALTH_CHECK in data
            self._is_rpc = data.startswith(HTTP2_PREFACE)
            while data:
                if self._is_step(data):
                    await self._wires.step(self, data)
                if not self._wires.is_cut:
                    self._to_far.write(data)
                data = await self._from_gateway.read(PIECE_BYTES)

    async def _carry_back(self) -> None:
        with suppress(OSError):
            while data := await self._from_far.read(PIECE_BYTES):
                if not self._wires.is_cut:
                    self._to_gateway.write(data)
                elif not self._is_rpc or _has_headers(data):
                    self._answered.set()

    def _is_step(self, data: bytes) -> bool:
        return not self._is_health_check and (not self._is_rpc or _has_headers(data))


def _has_headers(data: bytes) -> bool:
    """Tell whether a call or its answer begins there."""
    rest = data.removeprefix(HTTP2_PREFACE)
    while len(rest) >= HTTP2_FRAME_BYTES:
        if rest[3] == HTTP2_HEADERS:
            return True
        rest = rest[HTTP2_FRAME_BYTES + int.from_bytes(rest[:3]) :]
    return False
