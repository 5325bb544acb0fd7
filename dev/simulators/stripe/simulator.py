"""The simulator as one object: a server to start and stop, and the same switches in Python."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import stripe
from aiohttp import web

from dev.simulators.clock import Clock
from dev.simulators.control_api import PREFIX, ProviderControlApi
from dev.simulators.deliveries import Deliveries, Event
from dev.simulators.faults import Faults
from dev.simulators.server import Server
from dev.simulators.state_file import StateFile
from dev.simulators.stripe.books import Books
from dev.simulators.stripe.errors import StripeError
from dev.simulators.stripe.pages import Pages
from dev.simulators.stripe.rest_api import ReceivedRequest, RestApi
from dev.simulators.stripe.shapes import Shape
from dev.simulators.stripe.verbs import VERBS, StripeAccount


class StripeSimulator:
    """Stripe with one account, and one webhook endpoint of it."""

    def __init__(
        self,
        api_key: str,
        webhook_secret: str,
        webhook_url: str,
        *,
        state_file: Path | None = None,
        shape: Shape = Shape.ENDIVE,
    ) -> None:
        """`shape` is the version that the webhook endpoint was made with."""
        self.clock = Clock()
        self.faults = Faults("rate_limit")
        self.deliveries = Deliveries(webhook_url, self._sign)
        self._webhook_secret = webhook_secret
        self._state_file = StateFile(state_file, Books)
        self.account = StripeAccount(self._state_file.read(), self.clock.now, self._happen, shape)
        self._api = RestApi(self.account, api_key, self.faults)
        self._server = Server()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        control = ProviderControlApi(
            faults=self.faults,
            deliveries=self.deliveries,
            clock=self.clock,
            verbs={name: getattr(self.account, name) for name in VERBS},
            refusal=StripeError,
            requests=lambda: self.requests,
            reset=self.reset,
        )
        keep = self._state_file.after_each_request(lambda: self.account.books)
        application = web.Application(middlewares=[keep])
        application.add_routes([*self._api.routes(), *Pages(self.account).routes()])
        application.add_subapp(PREFIX, control.application())
        await self._server.start(application, host, port)
        self.account.page_base = f"{self.base_url}/pay"

    async def stop(self) -> None:
        """Safe to call twice or without a start; what is remembered stays for the next start."""
        self.faults.stop()
        await self.deliveries.close()
        await self._server.stop()
        self._state_file.write(self.account.books)

    @property
    def base_url(self) -> str:
        return self._server.base_url

    @property
    def requests(self) -> list[ReceivedRequest]:
        """The requests for Stripe since the start or the last reset, oldest first."""
        return list(self._api.requests)

    def reset(self) -> None:
        """Forget the account, the requests and the faults."""
        self.account.books.clear()
        self._api.requests.clear()
        self.faults.reset()

    def _happen(self, told: dict[str, Any]) -> None:
        body = json.dumps(told, indent=2).encode()
        self.deliveries.happen(Event(told["id"], told["type"], body))

    def _sign(self, body: bytes) -> Mapping[str, str]:
        # Deliveries are signed by the world's clock: who verifies knows no other.
        time = int(datetime.now(UTC).timestamp())
        header: str = stripe.WebhookSignature.generate_signature_header(
            body.decode(), self._webhook_secret, time
        )
        return {"Stripe-Signature": header}
