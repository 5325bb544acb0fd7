"""Objects of one customer at Stripe, and what their events are translated to."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from dev.simulators.stripe.objects import (
    Charge,
    Dispute,
    EarlyWarning,
    Intent,
    Invoice,
    InvoicePayment,
    Refund,
    Session,
    StripeObject,
    Subscription,
)
from dev.simulators.stripe.shapes import Shape, write, write_event
from services.billing_gateway.domain.observations import Observation, Observed, Translation
from services.billing_gateway.stripe.translation import TranslationRules, translate_event

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PERIOD_END = NOW + timedelta(days=30)
RULES = TranslationRules(livemode=False, blocking_fraud_types=frozenset({"made_with_lost_card"}))
METADATA = {"organization_id": "org-1"}

SUBSCRIPTION = Subscription(
    id="sub_1",
    created=NOW,
    customer_id="cus_1",
    price_id="price_pro",
    period_start=NOW,
    period_end=PERIOD_END,
    metadata=METADATA,
)
INVOICE = Invoice(
    id="in_1",
    created=NOW,
    subscription_id="sub_1",
    customer_id="cus_1",
    price_id="price_pro",
    period_start=NOW,
    period_end=PERIOD_END,
    amount=2_000,
    amount_paid=2_000,
    status="paid",
    subscription_metadata=METADATA,
)
INVOICE_PAYMENT = InvoicePayment(
    created=NOW, invoice_id="in_1", intent_id="pi_1", amount=2_000, currency="usd"
)
SESSION = Session(
    id="cs_1",
    created=NOW,
    amount=2_500,
    client_reference_id="org-1",
    customer_id="cus_1",
    intent_id="pi_1",
    status="complete",
    payment_status="paid",
)
INTENT = Intent(
    id="pi_1",
    created=NOW,
    amount=2_500,
    currency="usd",
    status="succeeded",
    customer_id="cus_1",
    latest_charge_id="ch_1",
)
CHARGE = Charge(
    id="ch_1", created=NOW, intent_id="pi_1", amount=2_500, currency="usd", amount_refunded=1_000
)
REFUND = Refund(
    id="re_1", created=NOW, intent_id="pi_1", charge_id="ch_1", amount=1_000, currency="usd"
)
DISPUTE = Dispute(
    id="du_1", created=NOW, intent_id="pi_1", charge_id="ch_1", amount=2_500, currency="usd"
)
WARNING = EarlyWarning(id="issfr_1", created=NOW, intent_id="pi_1", charge_id="ch_1")


def event(
    event_type: str,
    found: StripeObject,
    created: datetime = NOW,
    shape: Shape = Shape.ENDIVE,
    **changes: Any,
) -> dict[str, Any]:
    """An event about an object, with some of its fields changed."""
    return write_event(event_type, write(found, shape) | changes, created, shape)


def translate(told: Mapping[str, Any], receive_time: datetime = NOW) -> Translation:
    return translate_event(json.dumps(told).encode(), receive_time, RULES)


def observed(told: Mapping[str, Any]) -> tuple[Observation, ...]:
    translation = translate(told)
    assert isinstance(translation, Observed), translation
    return translation.observations


def only(told: Mapping[str, Any]) -> Observation:
    [observation] = observed(told)
    return observation
