"""PayPal's objects, and the JSON that it shows of them: v2 for captures, v1 for sales."""

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from services.billing_gateway.paypal.body import read_claim

JsonObject = dict[str, Any]

API = "https://api.sandbox.paypal.com"
SITE = "https://www.sandbox.paypal.com"
PERIOD = timedelta(days=30)
# How an order that waits for its customer names the page.
APPROVAL_RELS = {"CREATED": "approve", "PAYER_ACTION_REQUIRED": "payer-action"}
# By then an order says who pays.
PAID_BY = ("APPROVED", "COMPLETED")
# PayPal writes none of 0, 1, I and O.
PAYER_LETTERS = str.maketrans("IO", "89")


@dataclass
class Order:
    """A one-off payment that its customer is to approve."""

    order_id: str
    amount: str
    currency: str
    create_time: datetime
    custom_id: str | None = None
    invoice_id: str | None = None
    return_url: str = ""
    cancel_url: str = ""
    status: str = "PAYER_ACTION_REQUIRED"
    capture_ids: list[str] = field(default_factory=list)
    payer_id: str = ""

    def __post_init__(self) -> None:
        self.payer_id = self.payer_id or payer_of(self.custom_id, self.order_id)


@dataclass
class Payment:
    """Money that came in: by an order's capture, or by a subscription's sale."""

    payment_id: str
    kind: Literal["capture", "sale"]
    amount: str
    currency: str
    create_time: datetime
    update_time: datetime
    # The order or the subscription.
    parent_id: str
    custom_id: str | None = None
    status: str = "COMPLETED"
    refund_ids: list[str] = field(default_factory=list)


@dataclass
class Refund:
    """Money that went back; reversal: PayPal took it."""

    refund_id: str
    payment_id: str
    amount: str
    currency: str
    create_time: datetime
    update_time: datetime
    reversal: bool = False
    status: str = "COMPLETED"


@dataclass
class Failure:
    """A payment that could not be collected."""

    amount: str
    time: datetime


@dataclass
class Subscription:
    """A plan that its customer is to approve and then pays for each period."""

    subscription_id: str
    plan_id: str
    amount: str
    currency: str
    create_time: datetime
    status_update_time: datetime
    update_time: datetime
    custom_id: str | None = None
    return_url: str = ""
    cancel_url: str = ""
    status: str = "APPROVAL_PENDING"
    next_billing_time: datetime | None = None
    last_payment_time: datetime | None = None
    last_failure: Failure | None = None
    failed_count: int = 0
    payer_id: str = ""

    def __post_init__(self) -> None:
        self.payer_id = self.payer_id or payer_of(self.custom_id, self.subscription_id)


@dataclass
class Dispute:
    """A customer's complaint about a payment."""

    dispute_id: str
    payment_id: str
    amount: str
    currency: str
    reason: str
    create_time: datetime
    update_time: datetime
    outcome: str | None = None


def payer_of(custom_id: str | None, object_id: str) -> str:
    """One payer for each organization, and one for each object that says nobody's name."""
    claim = read_claim({"custom_id": custom_id})
    whose = claim.organization_id if claim else object_id
    digest = hashlib.sha256(whose.encode()).digest()
    return base64.b32encode(digest).decode()[:13].translate(PAYER_LETTERS)


def order_json(order: Order, captures: list[Payment], refunds: list[Refund]) -> JsonObject:
    payments: JsonObject = {"captures": [capture_json(each) for each in captures]}
    payments["refunds"] = [refund_json(each, "capture") for each in refunds]
    unit = {
        "reference_id": "default",
        "amount": _money(order.amount, order.currency),
        **_given(custom_id=order.custom_id, invoice_id=order.invoice_id),
        **({"payments": payments} if captures else {}),
    }
    path = f"{API}/v2/checkout/orders/{order.order_id}"
    links = [_link("self", path)]
    if order.status in APPROVAL_RELS:
        page = f"{SITE}/checkoutnow?token={order.order_id}"
        links.append(_link(APPROVAL_RELS[order.status], page))
    payer = {"payer": {"payer_id": order.payer_id}} if order.status in PAID_BY else {}
    return {
        "id": order.order_id,
        "intent": "CAPTURE",
        "status": order.status,
        "purchase_units": [unit],
        **payer,
        "create_time": text_of(order.create_time),
        "links": links,
    }


def capture_json(capture: Payment) -> JsonObject:
    money = _money(capture.amount, capture.currency)
    path = f"{API}/v2/payments/captures/{capture.payment_id}"
    order = f"{API}/v2/checkout/orders/{capture.parent_id}"
    return {
        "id": capture.payment_id,
        "status": capture.status,
        "amount": money,
        "final_capture": True,
        **_given(custom_id=capture.custom_id),
        "seller_receivable_breakdown": {"gross_amount": money, "net_amount": money},
        "supplementary_data": {"related_ids": {"order_id": capture.parent_id}},
        "create_time": text_of(capture.create_time),
        "update_time": text_of(capture.update_time),
        "links": [_link("self", path), _link("refund", f"{path}/refund"), _link("up", order)],
    }


def sale_json(sale: Payment) -> JsonObject:
    return {
        "id": sale.payment_id,
        "state": sale.status.lower(),
        "amount": {"total": sale.amount, "currency": sale.currency},
        "payment_mode": "INSTANT_TRANSFER",
        "billing_agreement_id": sale.parent_id,
        **_given(custom=sale.custom_id),
        "create_time": text_of(sale.create_time),
        "update_time": text_of(sale.update_time),
        "links": [_link("self", f"{API}/v1/payments/sale/{sale.payment_id}")],
    }


def refund_json(refund: Refund, kind: Literal["capture", "sale"]) -> JsonObject:
    times = {
        "create_time": text_of(refund.create_time),
        "update_time": text_of(refund.update_time),
    }
    if kind == "capture":
        path = f"{API}/v2/payments/refunds/{refund.refund_id}"
        capture = f"{API}/v2/payments/captures/{refund.payment_id}"
        return {
            "id": refund.refund_id,
            "status": refund.status,
            "amount": _money(refund.amount, refund.currency),
            **({"note_to_payer": "Payment reversed"} if refund.reversal else {}),
            **times,
            "links": [_link("self", path), _link("up", capture)],
        }
    return {
        "id": refund.refund_id,
        "state": refund.status.lower(),
        "sale_id": refund.payment_id,
        "amount": {"total": f"-{refund.amount}", "currency": refund.currency},
        **times,
        "links": [_link("self", f"{API}/v1/payments/refund/{refund.refund_id}")],
    }


def reversed_sale_json(refund: Refund) -> JsonObject:
    """As PayPal tells it: without a word of the sale."""
    told = refund_json(refund, "sale")
    del told["sale_id"]
    return told


def subscription_json(subscription: Subscription, *, with_failure: bool = True) -> JsonObject:
    path = f"{API}/v1/billing/subscriptions/{subscription.subscription_id}"
    links = [_link("self", path)]
    if subscription.status == "APPROVAL_PENDING":
        token = f"ba_token={subscription.subscription_id}"
        links.append(_link("approve", f"{SITE}/webapps/billing/subscriptions?{token}"))
    told = {
        "id": subscription.subscription_id,
        "plan_id": subscription.plan_id,
        "status": subscription.status,
        "status_update_time": text_of(subscription.status_update_time),
        "create_time": text_of(subscription.create_time),
        "update_time": text_of(subscription.update_time),
        **_given(custom_id=subscription.custom_id),
        "links": links,
    }
    if subscription.status not in ("APPROVAL_PENDING", "APPROVED"):
        told["subscriber"] = {
            "payer_id": subscription.payer_id,
            "email_address": "buyer@example.com",
        }
        told["billing_info"] = _billing_info(subscription, with_failure=with_failure)
    return told


def _billing_info(subscription: Subscription, *, with_failure: bool) -> JsonObject:
    price = _money(subscription.amount, subscription.currency)
    told: JsonObject = {"failed_payments_count": subscription.failed_count}
    if subscription.status == "ACTIVE" and subscription.next_billing_time is not None:
        told["next_billing_time"] = text_of(subscription.next_billing_time)
    if subscription.last_payment_time is not None:
        time = text_of(subscription.last_payment_time)
        told["last_payment"] = {"amount": price, "time": time}
    failure = subscription.last_failure
    if with_failure and failure is not None:
        told["last_failed_payment"] = {
            "amount": price,
            "time": text_of(failure.time),
            "reason_code": "PAYMENT_DENIED",
        }
    return told


def dispute_json(dispute: Dispute) -> JsonObject:
    outcome = {"dispute_outcome": {"outcome_code": dispute.outcome}} if dispute.outcome else {}
    return {
        "dispute_id": dispute.dispute_id,
        "create_time": text_of(dispute.create_time, milliseconds=True),
        "update_time": text_of(dispute.update_time, milliseconds=True),
        "disputed_transactions": [{"seller_transaction_id": dispute.payment_id}],
        "reason": dispute.reason,
        "status": "RESOLVED" if dispute.outcome else "OPEN",
        "dispute_amount": _money(dispute.amount, dispute.currency),
        "dispute_life_cycle_stage": "INQUIRY",
        "dispute_channel": "INTERNAL",
        **outcome,
    }


def event_json(
    event_id: str, event_type: str, resource_type: str, resource: JsonObject, time: datetime
) -> JsonObject:
    path = f"{API}/v1/notifications/webhooks-events/{event_id}"
    return {
        "id": event_id,
        "event_version": "1.0",
        "create_time": text_of(time, milliseconds=True),
        "resource_type": resource_type,
        "event_type": event_type,
        "summary": f"{event_type} by the simulator",
        "resource": resource,
        "links": [_link("self", path), {**_link("resend", f"{path}/resend"), "method": "POST"}],
    }


def text_of(time: datetime, *, milliseconds: bool = False) -> str:
    text = time.isoformat(timespec="milliseconds" if milliseconds else "seconds")
    return text.replace("+00:00", "Z")


def _money(amount: str, currency: str) -> JsonObject:
    return {"value": amount, "currency_code": currency}


def _link(rel: str, href: str) -> JsonObject:
    return {"href": href, "rel": rel, "method": "GET"}


def _given(**values: str | None) -> JsonObject:
    return {name: value for name, value in values.items() if value is not None}
