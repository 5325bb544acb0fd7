"""Who takes webhooks, and answers as a test says."""

from dataclasses import dataclass, field

from aiohttp import web
from multidict import CIMultiDictProxy


@dataclass(frozen=True)
class Delivery:
    """One delivery, as it came."""

    headers: CIMultiDictProxy[str]
    body: bytes


@dataclass
class Receiver:
    """Keeps what comes; the next answers are `statuses`, then 200."""

    deliveries: list[Delivery] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    url: str = ""
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        application = web.Application()
        application.router.add_post("/webhooks/paypal", self._take)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/webhooks/paypal"

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self.deliveries.append(Delivery(request.headers, await request.read()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)
