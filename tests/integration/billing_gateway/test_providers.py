"""One gateway, several providers: each on its path, and all by the same port."""

from services.billing_gateway.domain.observations import Claim, PaymentPaid
from services.billing_gateway.domain.values import PaymentObject, Provider
from tests.integration.billing_gateway.requests import DEAD, DONE, IGNORED, events_of
from tests.support.stack import Stack, now
from tests.support.waiting import eventually
from tollgate.billing_gateway.v1 import billing_gateway_service_pb2, provider_pb2

TOP_UP = PaymentPaid(
    objects=(PaymentObject("CAPTURE1", 0),),
    subscription_id="",
    customer_id="PAYER1",
    checkout_id="ORDER1",
    claim=Claim("org-1"),
    lines=(),
    currency_code="USD",
    paid_micros=25_000_000,
    paid_time=now(),
)


async def test_a_provider_without_settings_is_told_to_come_again(stack: Stack) -> None:
    assert await stack.deliver_fake(Provider.PAYPAL, "WH-1", TOP_UP) == 503
    assert await events_of(stack) == []


async def test_what_any_provider_tells_is_settled_by_the_same_way(fake_stack: Stack) -> None:
    assert await fake_stack.deliver_fake(Provider.PAYPAL, "WH-1", TOP_UP) == 200
    assert await fake_stack.deliver_fake(Provider.PAYPAL, "WH-2", TOP_UP) == 200
    assert await fake_stack.deliver_fake(Provider.PAYPAL, "WH-3") == 200
    await eventually(lambda: events_of(fake_stack, state=DONE), lambda found: len(found) == 2)
    await eventually(lambda: events_of(fake_stack, state=IGNORED), lambda found: len(found) == 1)
    request = billing_gateway_service_pb2.GetPaymentRequest(
        provider=provider_pb2.PROVIDER_PAYPAL, payment_id="paypal:CAPTURE1"
    )
    answer = await eventually(
        lambda: fake_stack.gateway.GetPayment(request),
        lambda found: found.payment.acknowledged_revision == 1,
    )
    assert answer.payment.credited_micros == 25_000_000
    assert sorted(answer.payment.event_ids) == ["WH-1", "WH-2"]
    assert await events_of(fake_stack, state=DEAD) == []
