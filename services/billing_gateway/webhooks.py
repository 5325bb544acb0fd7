"""The gateway's HTTP side: what providers deliver, and whether the gateway is well."""

import re
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import Counter

from libs.database import DatabaseUnavailableError
from libs.errors import OverloadedError
from libs.http import RETRY_AFTER_SECONDS, connection_of
from libs.limited_log import LimitedLog
from libs.logs import get_logger
from libs.metrics import ServiceMetrics
from libs.tracing import http_middlewares
from services.billing_gateway.bodies import (
    BODY_BYTES_MAX,
    BODY_SECONDS_MAX,
    Bodies,
    BodyGivenUpError,
    BodyIncompleteError,
    BodyTooLargeError,
    BodyUnannouncedError,
    leave_expectation,
)
from services.billing_gateway.domain.values import Provider
from services.billing_gateway.operations.intake import Intake
from services.billing_gateway.ports import (
    CannotVerifyError,
    DeliveryRefusedError,
    SignatureMismatchError,
)

# Where both providers name an event, near the beginning of its body.
EVENT_ID = re.compile(rb'"id"\s*:\s*"([A-Za-z0-9_-]{1,64})"')
EVENT_ID_WITHIN_BYTES = 512
AGAIN = {"Retry-After": str(RETRY_AFTER_SECONDS)}


class Webhooks:
    """Answers providers: 200 kept, 400 not theirs, 503 again; 408, 411 or 413 for a bad body."""

    def __init__(self, intake: Intake, metrics: ServiceMetrics) -> None:
        self._intake = intake
        self._bodies = Bodies()
        self._log = LimitedLog()
        self._answers = Counter(
            "tollgate_webhook_deliveries",
            "Deliveries answered, by provider and HTTP status.",
            ["provider", "status"],
            registry=metrics.registry,
        )
        # The first of them is seen as one more only if there were none before.
        for provider in Provider:
            for status in (HTTPStatus.OK, HTTPStatus.BAD_REQUEST, HTTPStatus.SERVICE_UNAVAILABLE):
                self._answers.labels(provider, int(status))

    def application(self) -> web.Application:
        """Return the application to serve."""
        application = web.Application(middlewares=http_middlewares())
        for provider in Provider:
            path = f"/webhooks/{provider.lower()}"
            application.router.add_post(
                path, self._receive_from(provider), expect_handler=leave_expectation
            )
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
            async with self._bodies.holding(request) as body:
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
        except BodyGivenUpError:
            self._log.warning("webhook_given_up", provider=provider, peer=request.remote)
            return 503, "too many bodies at once; send it again"
        except DeliveryRefusedError as refused:
            self._log.warning(
                _named_as(refused),
                provider=provider,
                event_id=_named_event(body),
                error=str(refused),
            )
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

    async def _answer_health(self, _: web.Request) -> web.Response:
        return web.Response(text="alive")

    async def _answer_readiness(self, _: web.Request) -> web.Response:
        ready = await self._intake.is_database_there()
        return web.Response(text="ready" if ready else "no database", status=200 if ready else 503)


def _named_as(refused: DeliveryRefusedError) -> str:
    is_mismatch = isinstance(refused, SignatureMismatchError)
    return "webhook_signature_mismatch" if is_mismatch else "webhook_refused"


def _named_event(body: bytes) -> str:
    """Return which event a body says it is; who sent it may lie."""
    found = EVENT_ID.search(body, 0, EVENT_ID_WITHIN_BYTES)
    return found[1].decode() if found else ""
