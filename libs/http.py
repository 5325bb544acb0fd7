"""HTTP doors: small aiohttp applications on an address of their own."""

from aiohttp import web

SHUTDOWN_SECONDS = 5.0


class HttpEndpoint:
    """Serves one application."""

    def __init__(self, application: web.Application, address: str) -> None:
        self._address = address
        self._runner = web.AppRunner(
            application,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=SHUTDOWN_SECONDS,
            # A body is verified as it was sent; unpacking it is nobody's business here.
            auto_decompress=False,
        )

    @property
    def port(self) -> int:
        """Return the port that is listened on."""
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        """Begin to listen."""
        await self._runner.setup()
        host, _, port = self._address.rpartition(":")
        await web.TCPSite(self._runner, host.strip("[]"), int(port)).start()

    async def stop(self) -> None:
        """Refuse what is new and finish what is under way."""
        await self._runner.cleanup()
