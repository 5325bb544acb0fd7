"""No secret of the gateway's stands in a log line, a metric, an answer or an error."""

import logging

import grpc
import pytest
from google.protobuf.message import Message

from dev.simulators.faults import Fault, LostAnswer, Refusal
from tests.integration.billing_gateway.acceptance.ends import end_of, quiet
from tests.integration.billing_gateway.acceptance.stories import WHOLE_STORY, Organization, play
from tests.integration.billing_gateway.checkouts_asked import PAYPAL, STRIPE, create_top_up
from tests.integration.billing_gateway.requests import events_of
from tests.support.services import free_address
from tests.support.stack import Stack
from tests.support.two_providers import TwoProviders


async def errors_of(stack: Stack, providers: TwoProviders) -> list[str]:
    """Let both providers refuse and break off, and return what callers are told."""
    told: list[str] = []
    faults: list[Fault] = [
        Refusal("NOT_AUTHORIZED", 401),
        Refusal("INTERNAL", 500),
        LostAnswer(),
    ]
    for number, fault in enumerate(faults):
        for provider, simulator in ((PAYPAL, providers.paypal), (STRIPE, providers.stripe)):
            simulator.faults.set(fault)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await create_top_up(stack, provider=provider, reference_id=f"refused-{number}")
            told.append(f"{caught.value!r} {caught.value.trailing_metadata()}")
            simulator.faults.clear()
    return told


async def metrics_of(stack: Stack, address: str) -> str:
    async with stack.http.get(f"http://{address}/metrics") as answer:
        assert answer.status == 200
        return await answer.text()


async def test_no_secret_is_logged_counted_or_told(
    stopped_stack: Stack,
    providers: TwoProviders,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    metrics_address = free_address()
    stopped_stack.gateway_settings = {
        **stopped_stack.gateway_settings,
        "metrics_address": metrics_address,
    }
    await stopped_stack.start("wallet", "billing_gateway")
    told = await play(Organization("org-1", stopped_stack, providers), WHOLE_STORY)
    for each in told:
        assert await providers.deliver(each) == 200
    # Another signature, and one of another body.
    assert await stopped_stack.post(b"{}", "t=1,v1=00") == 400
    await quiet(stopped_stack)
    answers: list[Message] = list(await events_of(stopped_stack, page_size=500))
    read = [
        *(str(each) for each in answers),
        str(await end_of(stopped_stack, "org-1")),
        *await errors_of(stopped_stack, providers),
        await metrics_of(stopped_stack, metrics_address),
        caplog.text,
        *capfd.readouterr(),
    ]
    everything = "\n".join(read)

    assert "event_settled" in everything
    assert "tollgate_webhook_deliveries" in everything
    assert providers.paypal.tokens
    password = stopped_stack.databases["billing_gateway"].url.split(":")[2].partition("@")[0]
    for secret in ("canary", password, *providers.paypal.tokens):
        # Which of them it is must not be told here either.
        assert everything.count(secret) == 0
