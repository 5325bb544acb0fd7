"""How Stripe writes its objects: as of 2026-10-28, and as before 2025-03-31."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, assert_never

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
    new_id,
)

JsonObject = dict[str, Any]


class Shape(StrEnum):
    """A version of the API, by which objects have their shape."""

    ENDIVE = "2026-10-28.endive"
    OLD = "2020-08-27"


def write(found: StripeObject, shape: Shape = Shape.ENDIVE) -> JsonObject:
    """Return an object as it stands in an event or an answer."""
    common = {"id": found.id, "created": _time(found.created), "livemode": False}
    return {**common, **_write(found, shape)}


def write_event(
    event_type: str, written: Mapping[str, Any], created: datetime, shape: Shape = Shape.ENDIVE
) -> JsonObject:
    """Wrap an object in an event with an id of its own."""
    return {
        "id": new_id("evt"),
        "object": "event",
        "api_version": shape,
        "created": _time(created),
        "data": {"object": dict(written)},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": event_type,
    }


def _write(found: StripeObject, shape: Shape) -> JsonObject:
    match found:
        case Session():
            return _write_session(found)
        case Intent():
            return _write_intent(found, shape)
        case Charge():
            return _write_charge(found, shape)
        case Subscription():
            return _write_subscription(found, shape)
        case Invoice():
            return _write_invoice(found, shape)
        case InvoicePayment():
            return _write_invoice_payment(found)
        case Refund():
            return _write_refund(found)
        case Dispute():
            return _write_dispute(found)
        case EarlyWarning():
            return _write_warning(found)
        case _:
            assert_never(found)


def write_list(url: str, items: list[JsonObject]) -> JsonObject:
    """Return a page that has everything."""
    return {"object": "list", "url": url, "has_more": False, "data": items}


def _write_session(session: Session) -> JsonObject:
    return {
        "object": "checkout.session",
        "amount_total": session.amount,
        "cancel_url": session.cancel_url,
        "client_reference_id": session.client_reference_id or None,
        "currency": session.currency,
        "customer": session.customer_id or None,
        "invoice": session.invoice_id or None,
        "metadata": session.metadata,
        "mode": session.mode,
        "payment_intent": session.intent_id or None,
        "payment_status": session.payment_status,
        "status": session.status,
        "subscription": session.subscription_id or None,
        "success_url": session.success_url,
        "url": session.url if session.status == "open" else None,
    }


def _write_intent(intent: Intent, shape: Shape) -> JsonObject:
    written = {
        "object": "payment_intent",
        "amount": intent.amount,
        "amount_received": intent.amount if intent.status == "succeeded" else 0,
        # Whoever has it can pay, or cancel, in the customer's place.
        "client_secret": f"{intent.id}_secret_{intent.id[::-1]}",
        "currency": intent.currency,
        "customer": intent.customer_id or None,
        "latest_charge": intent.latest_charge_id or None,
        "metadata": intent.metadata,
        "status": intent.status,
    }
    return written | _old_invoice(intent.invoice_id, shape)


def _write_charge(charge: Charge, shape: Shape) -> JsonObject:
    written = {
        "object": "charge",
        "amount": charge.amount,
        "amount_refunded": charge.amount_refunded,
        "currency": charge.currency,
        "customer": charge.customer_id or None,
        "paid": charge.succeeded,
        "payment_intent": charge.intent_id,
        "refunded": charge.amount_refunded == charge.amount,
        "status": "succeeded" if charge.succeeded else "failed",
    }
    return written | _old_invoice(charge.invoice_id, shape)


def _old_invoice(invoice_id: str, shape: Shape) -> JsonObject:
    return {"invoice": invoice_id or None} if shape is Shape.OLD else {}


def _write_subscription(subscription: Subscription, shape: Shape) -> JsonObject:
    period = {
        "current_period_start": _time(subscription.period_start),
        "current_period_end": _time(subscription.period_end),
    }
    item = {
        "id": "si_1",
        "object": "subscription_item",
        "price": {"id": subscription.price_id, "object": "price"},
        "quantity": 1,
        **(period if shape is Shape.ENDIVE else {}),
    }
    return {
        "object": "subscription",
        "cancel_at": _time(subscription.period_end) if subscription.cancel_at_period_end else None,
        "cancel_at_period_end": subscription.cancel_at_period_end,
        "customer": subscription.customer_id,
        "items": write_list("/v1/subscription_items", [item]),
        "latest_invoice": subscription.latest_invoice_id or None,
        "metadata": subscription.metadata,
        "status": subscription.status,
        **(period if shape is Shape.OLD else {}),
    }


def _write_invoice(invoice: Invoice, shape: Shape) -> JsonObject:
    details = {
        "metadata": invoice.subscription_metadata,
        "subscription": invoice.subscription_id,
    }
    written = {
        "object": "invoice",
        "amount_due": invoice.amount,
        "amount_paid": invoice.amount_paid,
        "attempt_count": invoice.attempt_count,
        "billing_reason": invoice.billing_reason,
        "currency": invoice.currency,
        "customer": invoice.customer_id,
        "lines": write_list("/v1/invoices/lines", [_write_line(invoice, shape)]),
        "metadata": {},
        "period_end": _time(invoice.period_start),
        "period_start": _time(invoice.period_start),
        "status": invoice.status,
    }
    if shape is Shape.ENDIVE:
        parent = {"type": "subscription_details", "subscription_details": details}
        return written | {"parent": parent}
    return written | {
        "charge": invoice.charge_id or None,
        "payment_intent": invoice.intent_id or None,
        "subscription": invoice.subscription_id,
        "subscription_details": {"metadata": invoice.subscription_metadata},
    }


def _write_line(invoice: Invoice, shape: Shape) -> JsonObject:
    line = {
        "id": "il_1",
        "object": "line_item",
        "amount": invoice.amount,
        "period": {"start": _time(invoice.period_start), "end": _time(invoice.period_end)},
    }
    if shape is Shape.OLD:
        price = {"id": invoice.price_id, "object": "price"}
        return line | {"price": price, "proration": invoice.is_proration, "type": "subscription"}
    return line | {
        "parent": {
            "type": "subscription_item_details",
            "subscription_item_details": {"proration": invoice.is_proration},
        },
        "pricing": {"type": "price_details", "price_details": {"price": invoice.price_id}},
    }


def _write_invoice_payment(payment: InvoicePayment) -> JsonObject:
    return {
        "object": "invoice_payment",
        "amount_paid": payment.amount,
        "currency": payment.currency,
        "invoice": payment.invoice_id,
        "payment": {"type": "payment_intent", "payment_intent": payment.intent_id},
        "status": payment.status,
    }


def _write_refund(refund: Refund) -> JsonObject:
    return {
        "object": "refund",
        "amount": refund.amount,
        "charge": refund.charge_id,
        "currency": refund.currency,
        "payment_intent": refund.intent_id,
        "status": refund.status,
    }


def _write_dispute(dispute: Dispute) -> JsonObject:
    moved = [
        {"id": f"txn_{number}", "object": "balance_transaction", "amount": amount}
        for number, amount in enumerate(dispute.moved)
    ]
    return {
        "object": "dispute",
        "amount": dispute.amount,
        "balance_transactions": moved,
        "charge": dispute.charge_id,
        "currency": dispute.currency,
        "is_charge_refundable": dispute.status.startswith("warning_"),
        "payment_intent": dispute.intent_id,
        "reason": dispute.reason,
        "status": dispute.status,
    }


def _write_warning(warning: EarlyWarning) -> JsonObject:
    return {
        "object": "radar.early_fraud_warning",
        "actionable": warning.actionable,
        "charge": warning.charge_id,
        "fraud_type": warning.fraud_type,
        "payment_intent": warning.intent_id,
    }


def _time(time: datetime) -> int:
    return int(time.timestamp())
