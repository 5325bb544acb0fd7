"""The door of a simulator."""

from aiohttp import web


class Server:
    """One address over HTTP."""

    def __init__(self) -> None:
        self._runner: web.AppRunner | None = None

    async def start(self, application: web.Application, host: str, port: int) -> None:
        """Port 0: any that is free."""
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()

    async def stop(self) -> None:
        """Safe to call twice or without a start."""
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def base_url(self) -> str:
        assert self._runner is not None, "not started"
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"
