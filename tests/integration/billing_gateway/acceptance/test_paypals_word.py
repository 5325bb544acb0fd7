"""What a stranger can do with the headers of a transmission, or with made-up ones: nothing."""

import json
from dataclasses import replace

from structlog.testing import capture_logs

from services.billing_gateway.domain.values import Provider
from services.billing_gateway.operations.inserting import ANOTHER_BODY
from services.billing_gateway.paypal.signature.certificates import FETCHES_MAX
from tests.integration.billing_gateway.subscriptions_told import query
from tests.support.checksums import forge
from tests.support.services import free_address
from tests.support.stack import Stack
from tests.support.two_providers import TwoProviders
from tests.support.waiting import eventually

CERTIFICATES = "https://api.sandbox.paypal.com/v1/notifications/certs"


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


async def flood(stack: Stack, providers: TwoProviders) -> None:
    """Name certificates that do not exist until no more are asked for."""
    body = body_of("WH-0")
    for number in range(FETCHES_MAX):
        url = f"{CERTIFICATES}/CERT-made-up-{number}"
        headers = {**providers.sign(Provider.PAYPAL, body), "PAYPAL-CERT-URL": url}
        assert await stack.post_to(Provider.PAYPAL, body, headers.items()) == 503


async def takes(stack: Stack, providers: TwoProviders, event_id: str) -> None:
    """Wait no longer than until PayPal comes again: the flood's minute is longer."""
    body = body_of(event_id)

    async def post() -> int:
        headers = providers.sign(Provider.PAYPAL, body)
        return await stack.post_to(Provider.PAYPAL, body, headers.items())

    await eventually(post, lambda status: status == 200)


async def test_gateways_that_start_under_a_flood_of_made_up_certificates_take_paypals_deliveries(
    believing_stack: Stack, providers: TwoProviders
) -> None:
    await takes(believing_stack, providers, "WH-1")
    remembered = "SELECT url FROM signing_certificates"
    await eventually(lambda: query(believing_stack, remembered), lambda rows: len(rows) == 1)
    await believing_stack.stop("billing_gateway")
    addresses = {**believing_stack.addresses, "billing_gateway": free_address()}
    other = replace(
        believing_stack,
        addresses={**addresses, "http": free_address()},
        metrics_addresses={"billing_gateway": free_address()},
        running={},
        channels={},
    )
    try:
        for number, stack in enumerate((believing_stack, other)):
            await stack.start("billing_gateway")
            await flood(stack, providers)
            await takes(stack, providers, f"WH-2-{number}")
    finally:
        await other.close()
    assert len(await query(believing_stack, remembered)) == 1
