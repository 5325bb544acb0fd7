"""Traces: one of each call and delivery, through all services, without what was asked."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from dev.stripe_simulator import Customer, top_up_event
from libs.tracing import trace_by
from libs.tracing.collecting import Collecting
from tests.support.errors import refusal
from tests.support.sights import wallet_of
from tests.support.stack import STRIPE_SECRET, TWILIO_TOKEN, Stack, now
from tests.support.telemetry import Collector, attributes_of, collector
from tests.support.waiting import eventually
from tollgate.wallet.v1.wallet_service_pb2 import CreateWalletRequest, DebitRequest

pytestmark = pytest.mark.database

WALLET = "tollgate.wallet.v1.WalletService"
OBSERVER = "tollgate.wallet.v1.WalletObserverService"
TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
TOLD = (("traceparent", f"00-{TRACE}-{CALLER}-01"), ("baggage", "secret=of-a-caller"))


@pytest.fixture
async def collecting(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Collector]:
    """Somebody who collects what this process does until the test ends."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    async with collector() as taking:
        tracing = Collecting("tests", taking.endpoint, 1.0)
        trace_by(tracing)
        yield taking
        trace_by(None)
        await asyncio.to_thread(tracing.close)


@pytest.fixture
async def traced(collecting: Collector, stopped_stack: Stack) -> Stack:
    """All services, traced."""
    await stopped_stack.start()
    return stopped_stack


async def names_in_trace(taking: Collector, trace_id: bytes, *awaited: str) -> dict[str, Span]:
    """Return the spans of a trace by their names, once those that are awaited have come."""

    async def look() -> dict[str, Span]:
        return {span.name: span for span in taking.spans() if span.trace_id == trace_id}

    return await eventually(look, lambda spans: set(awaited) <= spans.keys(), 20.0)


async def test_a_delivery_is_one_trace_until_everybody_knows_of_its_money(
    collecting: Collector, traced: Stack
) -> None:
    await traced.deliver(top_up_event(Customer("org-1"), 2_500, now()))
    await eventually(lambda: wallet_of(traced, "org-1"), lambda it: it.balance_micros > 0)

    async def deliveries() -> list[Span]:
        return collecting.named("POST /webhooks/stripe")

    [delivery] = await eventually(deliveries, bool, 20.0)
    spans = await names_in_trace(
        collecting,
        delivery.trace_id,
        *("settle", "tell", "announce", "batch", "SELECT"),
        *(f"{WALLET}/ApplyPayment", f"{OBSERVER}/ReportWallet"),
    )
    assert spans["settle"].parent_span_id == delivery.span_id
    answered = [
        attributes_of(span)
        for span in collecting.named(f"{WALLET}/ApplyPayment")
        if span.kind == Span.SPAN_KIND_SERVER
    ]
    assert [(it["tollgate.organization_id"], it["rpc.grpc.status_code"]) for it in answered] == [
        ("org-1", 0)
    ]


async def test_a_caller_goes_on_with_its_own_trace(collecting: Collector, traced: Stack) -> None:
    await traced.wallet.CreateWallet(CreateWalletRequest(organization_id="o", currency_code="USD"))
    debit = DebitRequest(
        organization_id="o",
        amount_micros=5_005_005,
        currency_code="USD",
        reference_id="r-1",
        description="words of a caller",
    )
    found = await refusal(traced.wallet.Debit(debit, metadata=TOLD))
    assert found.reason == "INSUFFICIENT_FUNDS"

    spans = await names_in_trace(collecting, bytes.fromhex(TRACE), f"{WALLET}/Debit", "batch")
    answered = spans[f"{WALLET}/Debit"]
    assert answered.parent_span_id == bytes.fromhex(CALLER)
    assert spans["batch"].parent_span_id == answered.span_id
    told = attributes_of(answered)
    assert (told["tollgate.organization_id"], told["tollgate.reference_id"]) == ("o", "r-1")
    # FAILED_PRECONDITION, which is no fault of ours.
    assert told["rpc.grpc.status_code"] == 9
    assert not answered.status.code


async def test_nothing_secret_and_nothing_that_was_asked_is_in_a_trace(
    collecting: Collector, traced: Stack
) -> None:
    await test_a_delivery_is_one_trace_until_everybody_knows_of_its_money(collecting, traced)
    await traced.wallet.Debit(
        DebitRequest(
            organization_id="org-1",
            amount_micros=1,
            currency_code="USD",
            reference_id="r-1",
            description="words of a caller",
            metadata={"for": "nobody else"},
        ),
        metadata=TOLD,
    )
    await names_in_trace(collecting, bytes.fromhex(TRACE), f"{WALLET}/Debit", "batch")
    sent = b"".join(request.SerializeToString() for request in collecting.requests)
    passwords = [urlsplit(each.url).password for each in traced.databases.values()]
    hidden = ("words of a caller", "nobody else", "of-a-caller", STRIPE_SECRET, TWILIO_TOKEN)
    for secret in (*hidden, "v1=", *filter(None, passwords)):
        assert secret.encode() not in sent, secret
    keys = {key for span in collecting.spans() for key in attributes_of(span)}
    assert not {key for key in keys if "header" in key or "metadata" in key or "exception" in key}
    assert not [span for span in collecting.spans() if span.events]
