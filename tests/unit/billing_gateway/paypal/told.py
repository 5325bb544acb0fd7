"""Events as PayPal makes them, of objects as it has them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from dev.simulators.paypal import objects
from dev.simulators.paypal.objects import (
    Dispute,
    Failure,
    JsonObject,
    Order,
    Payment,
    Refund,
    Subscription,
    event_json,
)
from services.billing_gateway.domain.observations import Observed, Translation
from services.billing_gateway.paypal.environment import Environment
from services.billing_gateway.paypal.translation import translate_event

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CLAIM = "org-1"


def ago(**duration: float) -> datetime:
    return NOW - timedelta(**duration)


SUBSCRIPTION = Subscription(
    "I-1", "P-1", "20.00", "USD", ago(days=3), ago(days=2), ago(days=1), CLAIM, status="ACTIVE"
)
SUBSCRIPTION.next_billing_time = NOW + timedelta(days=27)
SUBSCRIPTION.last_payment_time = ago(days=2)
FAILING = Subscription(
    "I-1", "P-1", "20.00", "USD", ago(days=3), ago(days=2), ago(days=1), CLAIM, status="ACTIVE"
)
FAILING.last_failure = Failure("20.00", ago(hours=3))
SALE = Payment("S1", "sale", "20.00", "USD", ago(hours=2), ago(hours=1), "I-1", CLAIM)
CAPTURE = Payment("C1", "capture", "25.00", "USD", ago(hours=2), ago(hours=1), "O1", CLAIM)
REFUND = Refund("R1", "C1", "10.00", "USD", ago(hours=1), ago(minutes=50))
SALE_REFUND = Refund("R2", "S1", "5.00", "USD", ago(hours=1), ago(minutes=50))
DISPUTE = Dispute("PP-D-1", "C1", "25.00", "USD", "UNAUTHORISED", ago(hours=1), ago(minutes=40))
ORDER = Order("O1", "25.00", "USD", ago(hours=3), CLAIM, "i1", status="APPROVED")


def event(
    event_type: str, resource: JsonObject, resource_type: str = "", time: datetime = NOW
) -> JsonObject:
    return event_json(f"WH-{event_type}", event_type, resource_type, resource, time)


STORY = [
    *(
        event(f"BILLING.SUBSCRIPTION.{kind}", objects.subscription_json(each))
        for each in (SUBSCRIPTION, FAILING)
        for kind in ("CREATED", "ACTIVATED", "UPDATED", "SUSPENDED", "CANCELLED", "PAYMENT.FAILED")
    ),
    *(
        event(f"PAYMENT.SALE.{kind}", objects.sale_json(SALE))
        for kind in ("COMPLETED", "PENDING", "DENIED")
    ),
    *(
        event(f"PAYMENT.CAPTURE.{kind}", objects.capture_json(CAPTURE))
        for kind in ("COMPLETED", "PENDING", "DENIED", "DECLINED")
    ),
    event("PAYMENT.CAPTURE.REFUNDED", objects.refund_json(REFUND, "capture")),
    event("PAYMENT.CAPTURE.REVERSED", objects.refund_json(REFUND, "capture")),
    event("PAYMENT.SALE.REFUNDED", objects.refund_json(SALE_REFUND, "sale")),
    event("PAYMENT.SALE.REVERSED", objects.reversed_sale_json(SALE_REFUND)),
    event("PAYMENT.REFUND.FAILED", objects.refund_json(REFUND, "capture")),
    *(
        event(f"CUSTOMER.DISPUTE.{kind}", objects.dispute_json(DISPUTE))
        for kind in ("CREATED", "UPDATED", "RESOLVED")
    ),
    event("CHECKOUT.ORDER.APPROVED", objects.order_json(ORDER, [], [])),
    event("CHECKOUT.PAYMENT-APPROVAL.REVERSED", {"order_id": "O1"}),
]


def translate(told: JsonObject, environment: Environment = Environment.SANDBOX) -> Translation:
    return translate_event(json.dumps(told).encode(), NOW, environment)


def observed(told: JsonObject) -> tuple[Any, ...]:
    translation = translate(told)
    assert isinstance(translation, Observed), translation
    return translation.observations
