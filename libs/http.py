"""HTTP doors: small aiohttp applications on an address of their own."""

import logging

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

SHUTDOWN_SECONDS = 5.0
# Who says nothing for so long is hung up on, in the middle of a header too.
SILENCE_SECONDS_MAX = 75.0


def _is_no_strangers_mistake(record: logging.LogRecord) -> bool:
    """Tell whether what is logged is not of what is no HTTP: anybody sends that, and is quoted."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


LOGGER = logging.getLogger("tollgate.http")
LOGGER.addFilter(_is_no_strangers_mistake)


class HttpEndpoint:
    """Serves one application."""

    def __init__(
        self,
        application: web.Application,
        address: str,
        silence_seconds_max: float = SILENCE_SECONDS_MAX,
    ) -> None:
        self._address = address
        self._runner = web.AppRunner(
            application,
            access_log=None,
            handle_signals=False,
            logger=LOGGER,
            keepalive_timeout=silence_seconds_max,
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
