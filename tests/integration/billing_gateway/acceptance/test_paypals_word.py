"""What a stranger can do with the headers of a transmission, or with made-up ones: nothing."""

import json

from structlog.testing import capture_logs

from services.billing_gateway.domain.values import Provider
from services.billing_gateway.operations.inserting import ANOTHER_BODY
from tests.integration.billing_gateway.subscriptions_told import query
from tests.support.checksums import forge
from tests.support.stack import Stack
from tests.support.two_providers import TwoProviders


def body_of(event_id: str) -> bytes:
    return json.dumps({"id": event_id, "event_type": "BILLING.PLAN.CREATED"}).encode()


async def test_the_headers_of_a_transmission_are_good_for_its_own_body_only(
    believing_stack: Stack, providers: TwoProviders
) -> None:
    body = body_of("WH-1")
    headers = providers.sign(Provider.PAYPAL, body).items()

    async def post(body: bytes) -> int:
        return await believing_stack.post_to(Provider.PAYPAL, body, headers)

    assert await post(body) == 200
    with capture_logs() as logs:
        assert [await post(each) for each in (forge(body), body, forge(body))] == [400, 200, 400]
    refused = [each["error"] for each in logs if each["event"] == "webhook_refused"]
    assert refused == [ANOTHER_BODY] * 2
    assert [
        row[0] for row in await query(believing_stack, "SELECT event_id FROM webhook_events")
    ] == ["WH-1"]
