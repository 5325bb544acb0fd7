"""Who delivers keeps its place while the gateway is at work for it, and not before."""

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

import aiohttp

from libs.http import HttpEndpoint
from libs.metrics import ServiceMetrics
from services.billing_gateway.domain.values import Provider
from services.billing_gateway.operations.intake import Intake
from services.billing_gateway.ports import DeliveryRefusedError, Headers
from services.billing_gateway.webhooks import Webhooks
from tests.support.fake_provider import FakeProvider


class SlowToTell(FakeProvider):
    """Takes its time to find that it has signed nothing."""

    def __init__(self) -> None:
        super().__init__(Provider.STRIPE)
        self.asked, self.let_go = asyncio.Event(), asyncio.Event()

    async def verify(self, headers: Headers, body: bytes, now: datetime) -> None:
        self.asked.set()
        await self.let_go.wait()
        raise DeliveryRefusedError("not signed")


async def test_a_newcomer_takes_no_place_of_a_delivery_that_is_being_verified() -> None:
    stripe = SlowToTell()
    # What is refused reaches no database.
    nowhere = cast(Any, None)
    intake = Intake(nowhere, {Provider.STRIPE: stripe}, nowhere, lambda: datetime.now(UTC))
    webhooks = Webhooks(intake, ServiceMetrics())
    endpoint = HttpEndpoint(webhooks.application(), "127.0.0.1:0", connections_max=1)
    await endpoint.start()
    url = f"http://127.0.0.1:{endpoint.port}"
    async with aiohttp.ClientSession() as http:
        delivery = asyncio.create_task(http.post(f"{url}/webhooks/stripe", data=b"{}"))
        await stripe.asked.wait()
        async with http.get(f"{url}/healthz") as newcomer:
            assert newcomer.status == 503
        stripe.let_go.set()
        async with await delivery as answer:
            assert answer.status == 400
    await endpoint.stop()
