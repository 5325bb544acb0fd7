"""Checkouts as callers ask for them, with what a test does not care for filled in."""

from typing import Any

from services.billing_gateway.domain.observations import CheckoutObserved, Claim, PaymentPaid
from services.billing_gateway.domain.values import CheckoutState, PaymentObject
from tests.support.stack import Stack, now
from tollgate.billing_gateway.v1 import (
    billing_gateway_service_payments_pb2,
    billing_gateway_service_pb2,
    billing_gateway_service_subscriptions_pb2,
    payment_pb2,
    provider_pb2,
)

PAYPAL, STRIPE = provider_pb2.PROVIDER_PAYPAL, provider_pb2.PROVIDER_STRIPE
URLS = {"return_url": "https://example.com/done", "cancel_url": "https://example.com/back"}


async def create_top_up(
    stack: Stack, **changes: Any
) -> billing_gateway_service_payments_pb2.CreateTopUpResponse:
    """Ask for a top-up of 25 USD through PayPal, but for the changes."""
    wanted = {
        "organization_id": "org-1",
        "provider": PAYPAL,
        "amount_micros": 25_000_000,
        "currency_code": "USD",
        "reference_id": "top-up-1",
        **URLS,
        **changes,
    }
    return await stack.gateway.CreateTopUp(
        billing_gateway_service_payments_pb2.CreateTopUpRequest(**wanted)
    )


async def create_subscription(
    stack: Stack, **changes: Any
) -> billing_gateway_service_subscriptions_pb2.CreateSubscriptionResponse:
    """Ask for a subscription at PayPal, but for the changes."""
    wanted = {
        "organization_id": "org-1",
        "provider": PAYPAL,
        "plan_id": "basic",
        "reference_id": "subscribe-1",
        **URLS,
        **changes,
    }
    return await stack.gateway.CreateSubscription(
        billing_gateway_service_subscriptions_pb2.CreateSubscriptionRequest(**wanted)
    )


async def payment_of(
    stack: Stack, object_id: str, provider: provider_pb2.Provider.ValueType = PAYPAL
) -> payment_pb2.Payment:
    """Return the payment that an object belongs to."""
    prefix = provider_pb2.Provider.Name(provider).removeprefix("PROVIDER_").lower()
    request = billing_gateway_service_pb2.GetPaymentRequest(
        provider=provider, payment_id=f"{prefix}:{object_id}"
    )
    return (await stack.gateway.GetPayment(request)).payment


def stands(
    checkout_id: str, state: CheckoutState, claim: Claim | None = None, **others: Any
) -> CheckoutObserved:
    """Return that a checkout is in a state."""
    return CheckoutObserved(checkout_id, state, claim, **others)


def paid(checkout_id: str, object_id: str = "CAPTURE1") -> PaymentPaid:
    """Return that a checkout was paid with 25 USD."""
    return PaymentPaid(
        objects=(PaymentObject(object_id, 0),),
        subscription_id="",
        customer_id="",
        checkout_id=checkout_id,
        claim=None,
        lines=(),
        currency_code="USD",
        paid_micros=25_000_000,
        paid_time=now(),
    )
