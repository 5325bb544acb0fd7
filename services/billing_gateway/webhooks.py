"""The gateway's HTTP side: what providers deliver, and whether the gateway is well."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from prometheus_client import Counter

from libs.database import DatabaseUnavailableError
from libs.errors import OverloadedError
from libs.http import RETRY_AFTER_SECONDS, connection_of
from libs.limited_log import LimitedLog
from libs.logs import get_logger
from libs.metrics import ServiceMetrics
from services.billing_gateway.domain.values import Provider
from services.billing_gateway.operations.intake import Intake
from services.billing_gateway.ports import CannotVerifyError, DeliveryRefusedError

BODY_BYTES_MAX = 256 * 1024
BODY_SECONDS_MAX = 10.0
# Of all that are under way: anybody can send a body, and whose it is shows only at its end.
BODIES_BYTES_MAX = 64 * 1024 * 1024
AGAIN = {"Retry-After": str(RETRY_AFTER_SECONDS)}


class BodyUnannouncedError(Exception):
    """Nothing says how long the body is, or that it tells so itself."""


class BodyTooLargeError(Exception):
    """The body is longer than any honest one."""


class BodyIncompleteError(Exception):
    """Whoever sent the body hung up, or sent what is no HTTP."""


class Webhooks:
    """Answers providers: 200 kept, 400 not theirs, 503 again; 408, 411 or 413 for a bad body."""

    def __init__(self, intake: Intake, metrics: ServiceMetrics) -> None:
        self._intake = intake
        self._held_bytes = 0
        self._log = LimitedLog()
        self._answers = Counter(
            "tollgate_webhook_deliveries",
            "Deliveries answered, by provider and HTTP status.",
            ["provider", "status"],
            registry=metrics.registry,
        )

    def application(self) -> web.Application:
        """Return the application to serve."""
        application = web.Application()
        for provider in Provider:
            path = f"/webhooks/{provider.lower()}"
            application.router.add_post(path, self._receive_from(provider))
        application.router.add_get("/healthz", self._answer_health)
        application.router.add_get("/readyz", self._answer_readiness)
        return application

    def _receive_from(self, provider: Provider) -> Handler:
        async def receive(request: web.Request) -> web.Response:
            status, text = await self._receive(provider, request)
            self._answers.labels(provider, status).inc()
            headers = AGAIN if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
            return web.Response(status=status, text=text, headers=headers)

        return receive

    async def _receive(self, provider: Provider, request: web.Request) -> tuple[int, str]:
        try:
            async with self._body_of(request) as body:
                with connection_of(request).at_work():
                    await self._intake.receive(provider, request.headers, body)
        except BodyUnannouncedError:
            return 411, "a body says how long it is"
        except BodyTooLargeError:
            return 413, f"a body is at most {BODY_BYTES_MAX} bytes"
        except TimeoutError:
            return 408, f"a body is to be sent within {BODY_SECONDS_MAX:g} seconds"
        except BodyIncompleteError:
            return 400, "the body is malformed or incomplete"
        except DeliveryRefusedError as refused:
            self._log.warning("webhook_refused", provider=provider, error=str(refused))
            return 400, str(refused)
        except CannotVerifyError as unsure:
            self._log.warning("webhook_not_verified", provider=provider, error=str(unsure))
            return 503, "cannot be verified now; send it again"
        except (DatabaseUnavailableError, OverloadedError) as error:
            self._log.warning("webhook_not_stored", provider=provider, error=error.message)
            return 503, "not stored; send it again"
        except Exception:  # noqa: BLE001 - it is not stored, so it must be sent again
            get_logger().exception("webhook_failed", provider=provider)
            return 503, "not stored; send it again"
        return 200, ""

    @asynccontextmanager
    async def _body_of(self, request: web.Request) -> AsyncIterator[bytes]:
        """Read a body, and hold it for as long as it is needed."""
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS_MAX):
                await self._read(request, body)
            yield bytes(body)
        finally:
            self._held_bytes -= len(body)

    async def _read(self, request: web.Request, body: bytearray) -> None:
        if hdrs.CONTENT_LENGTH not in request.headers and not request.body_exists:
            raise BodyUnannouncedError
        if (request.content_length or 0) > BODY_BYTES_MAX:
            raise BodyTooLargeError
        try:
            async for chunk in request.content.iter_any():
                body += chunk
                self._held_bytes += len(chunk)
                if len(body) > BODY_BYTES_MAX:
                    raise BodyTooLargeError
                if self._held_bytes > BODIES_BYTES_MAX:
                    raise OverloadedError("too many bodies at once", RETRY_AFTER_SECONDS)
        except (web.RequestPayloadError, ConnectionError) as error:
            raise BodyIncompleteError from error

    async def _answer_health(self, _: web.Request) -> web.Response:
        return web.Response(text="alive")

    async def _answer_readiness(self, _: web.Request) -> web.Response:
        ready = await self._intake.is_database_there()
        return web.Response(text="ready" if ready else "no database", status=200 if ready else 503)
