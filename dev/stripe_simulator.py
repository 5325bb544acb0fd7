"""Events as Stripe makes and signs them (API 2026-10-28), for tests and for the demo."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import stripe

API_VERSION = "2026-10-28.endive"
JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Customer:
    """A customer with one subscription, as Stripe knows them."""

    organization_id: str
    customer_id: str = field(default_factory=lambda: f"cus_{secrets.token_hex(7)}")
    subscription_id: str = field(default_factory=lambda: f"sub_{secrets.token_hex(12)}")
    price_id: str = "price_basic"

    @property
    def metadata(self) -> JsonObject:
        """What the platform wrote on the customer's objects."""
        return {"organization_id": self.organization_id} if self.organization_id else {}


def event(
    event_type: str, stripe_object: Mapping[str, Any], created: datetime, *, livemode: bool = False
) -> JsonObject:
    """Wrap an object in an event with an id of its own."""
    return {
        "id": f"evt_{secrets.token_hex(12)}",
        "object": "event",
        "api_version": API_VERSION,
        "created": int(created.timestamp()),
        "data": {"object": dict(stripe_object)},
        "livemode": livemode,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": event_type,
    }


def subscription_event(
    customer: Customer, kind: str, status: str, created: datetime, period_end: datetime
) -> JsonObject:
    """customer.subscription.created, .updated or .deleted."""
    item = {
        "id": "si_1",
        "object": "subscription_item",
        "price": {"id": customer.price_id, "object": "price"},
        "current_period_start": int(created.timestamp()),
        "current_period_end": int(period_end.timestamp()),
    }
    subscription = {
        "id": customer.subscription_id,
        "object": "subscription",
        "customer": customer.customer_id,
        "status": status,
        "cancel_at_period_end": False,
        "items": {"object": "list", "data": [item], "has_more": False},
        "metadata": customer.metadata,
    }
    return event(f"customer.subscription.{kind}", subscription, created)


def invoice_paid_event(
    customer: Customer,
    amount: int,
    created: datetime,
    *,
    currency: str = "usd",
    billing_reason: str = "subscription_cycle",
    period_start: datetime | None = None,
) -> JsonObject:
    """invoice.paid of the customer's subscription; the amount is in the smallest unit."""
    start = int((period_start or created).timestamp())
    line = {
        "id": f"il_{secrets.token_hex(12)}",
        "object": "line_item",
        "amount": amount,
        "period": {"start": start, "end": start + 30 * 86_400},
        "parent": {
            "type": "subscription_item_details",
            "subscription_item_details": {"proration": False},
        },
        "pricing": {"type": "price_details", "price_details": {"price": customer.price_id}},
    }
    invoice = {
        "id": f"in_{secrets.token_hex(12)}",
        "object": "invoice",
        "amount_paid": amount,
        "billing_reason": billing_reason,
        "currency": currency,
        "customer": customer.customer_id,
        "lines": {"object": "list", "data": [line], "has_more": False},
        "parent": {
            "type": "subscription_details",
            "subscription_details": {
                "metadata": customer.metadata,
                "subscription": customer.subscription_id,
            },
        },
        "period_start": start,
        "status": "paid",
    }
    return event("invoice.paid", invoice, created)


def top_up_event(
    customer: Customer, amount: int, created: datetime, *, currency: str = "usd"
) -> JsonObject:
    """checkout.session.completed of a one-off payment; the amount is in the smallest unit."""
    session = {
        "id": f"cs_test_{secrets.token_hex(12)}",
        "object": "checkout.session",
        "amount_total": amount,
        "client_reference_id": customer.organization_id or None,
        "currency": currency,
        "customer": customer.customer_id,
        "metadata": customer.metadata,
        "mode": "payment",
        "payment_intent": f"pi_{secrets.token_hex(12)}",
        "payment_status": "paid",
        "status": "complete",
        "subscription": None,
    }
    return event("checkout.session.completed", session, created)


def to_body(stripe_event: Mapping[str, Any]) -> bytes:
    """Return the bytes that Stripe would send."""
    return json.dumps(stripe_event, indent=2).encode()


def signature_header(body: bytes, secret: str, signed: datetime | None = None) -> str:
    """Return the Stripe-Signature header for these bytes."""
    time = int((signed or datetime.now(UTC)).timestamp())
    header = stripe.WebhookSignature.generate_signature_header(body.decode(), secret, time)
    return str(header)
