"""Both providers' real events, where they lie beside the repository; nothing needs them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.billing_gateway.domain.values import Provider

PAYLOADS = Path(__file__).parents[3] / "shared" / "payloads"
# Of Stripe's, some are objects without the event that tells of them.
TYPE_OF = {
    "charge": "charge.refunded",
    "checkout.session": "checkout.session.completed",
    "dispute": "charge.dispute.updated",
    "invoice": "invoice.paid",
    "invoice_payment": "invoice_payment.paid",
    "payment_intent": "payment_intent.succeeded",
    "radar.early_fraud_warning": "radar.early_fraud_warning.created",
    "refund": "refund.updated",
    "subscription": "customer.subscription.updated",
}


def sample_events() -> Iterator[tuple[Provider, dict[str, Any]]]:
    """Return every event that there is."""
    for file in sorted(PAYLOADS.glob("paypal/*/*.json")):
        told = json.loads(file.read_bytes())
        if "event_type" in told:
            yield Provider.PAYPAL, told
    for file in sorted(PAYLOADS.glob("stripe/*/*.json")):
        told = json.loads(file.read_bytes())
        kind = told.get("object")
        if kind == "event":
            yield Provider.STRIPE, told
        elif kind in TYPE_OF:
            envelope = {"id": "evt_1", "object": "event", "created": 1_760_000_000}
            yield Provider.STRIPE, {**envelope, "type": TYPE_OF[kind], "data": {"object": told}}
