"""What Stripe keeps: the objects of an account, without the shapes in which it tells them."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


@dataclass(kw_only=True)
class Session:
    """A Checkout session, of a payment or of a subscription."""

    created: datetime
    mode: str = "payment"
    amount: int = 0
    currency: str = "usd"
    price_id: str = ""
    client_reference_id: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    # Of what it makes.
    made_metadata: dict[str, str] = field(default_factory=dict)
    success_url: str = "https://example.com/done"
    cancel_url: str = "https://example.com/back"
    status: str = "open"
    payment_status: str = "unpaid"
    customer_id: str = ""
    intent_id: str = ""
    subscription_id: str = ""
    invoice_id: str = ""
    url: str = ""
    id: str = field(default_factory=lambda: new_id("cs_test"))


@dataclass(kw_only=True)
class Intent:
    """A payment, in as many attempts as it takes."""

    created: datetime
    amount: int
    currency: str
    status: str = "requires_payment_method"
    customer_id: str = ""
    invoice_id: str = ""
    latest_charge_id: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    id: str = field(default_factory=lambda: new_id("pi"))


@dataclass(kw_only=True)
class Charge:
    """One attempt at a payment."""

    created: datetime
    intent_id: str
    amount: int
    currency: str
    customer_id: str = ""
    invoice_id: str = ""
    succeeded: bool = True
    amount_refunded: int = 0
    id: str = field(default_factory=lambda: new_id("ch"))


@dataclass(kw_only=True)
class Subscription:
    """A subscription with one item."""

    created: datetime
    customer_id: str
    price_id: str
    period_start: datetime
    period_end: datetime
    amount: int = 2_000
    currency: str = "usd"
    status: str = "active"
    cancel_at_period_end: bool = False
    latest_invoice_id: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    id: str = field(default_factory=lambda: new_id("sub"))


@dataclass(kw_only=True)
class Invoice:
    """An invoice of a subscription's period."""

    created: datetime
    subscription_id: str
    customer_id: str
    price_id: str
    period_start: datetime
    period_end: datetime
    amount: int
    currency: str = "usd"
    billing_reason: str = "subscription_cycle"
    status: str = "open"
    amount_paid: int = 0
    attempt_count: int = 0
    intent_id: str = ""
    charge_id: str = ""
    is_proration: bool = False
    subscription_metadata: dict[str, str] = field(default_factory=dict)
    id: str = field(default_factory=lambda: new_id("in"))


@dataclass(kw_only=True)
class InvoicePayment:
    """Which payment paid an invoice."""

    created: datetime
    invoice_id: str
    intent_id: str
    amount: int
    currency: str
    status: str = "paid"
    id: str = field(default_factory=lambda: new_id("inpay"))


@dataclass(kw_only=True)
class Refund:
    """Money on its way back."""

    created: datetime
    intent_id: str
    charge_id: str
    amount: int
    currency: str
    status: str = "succeeded"
    id: str = field(default_factory=lambda: new_id("re"))


@dataclass(kw_only=True)
class Dispute:
    """A customer's bank wants money back; of moved, every part that was taken out or put back."""

    created: datetime
    intent_id: str
    charge_id: str
    amount: int
    currency: str
    status: str = "needs_response"
    reason: str = "fraudulent"
    moved: list[int] = field(default_factory=list)
    id: str = field(default_factory=lambda: new_id("du"))


@dataclass(kw_only=True)
class EarlyWarning:
    """A card's issuer suspects fraud."""

    created: datetime
    intent_id: str
    charge_id: str
    fraud_type: str = "unauthorized_use_of_card"
    actionable: bool = True
    id: str = field(default_factory=lambda: new_id("issfr"))


StripeObject = (
    Session
    | Intent
    | Charge
    | Subscription
    | Invoice
    | InvoicePayment
    | Refund
    | Dispute
    | EarlyWarning
)
