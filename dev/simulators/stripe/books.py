"""Everything an account keeps."""

from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from dev.simulators.stripe.errors import not_found
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

AnyObject = TypeVar("AnyObject", bound=StripeObject)


@dataclass
class Replay:
    """What was asked with an idempotency key, and what it was answered."""

    asked: str
    body: dict[str, Any]


@dataclass
class Books:
    """The objects by their kind and id, and the events that told of them."""

    sessions: dict[str, Session] = field(default_factory=dict)
    intents: dict[str, Intent] = field(default_factory=dict)
    charges: dict[str, Charge] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)
    invoice_payments: dict[str, InvoicePayment] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)
    disputes: dict[str, Dispute] = field(default_factory=dict)
    warnings: dict[str, EarlyWarning] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    replays: dict[str, Replay] = field(default_factory=dict)

    def clear(self) -> None:
        for kept in fields(self):
            getattr(self, kept.name).clear()


def find(kept: dict[str, AnyObject], object_id: str, what: str) -> AnyObject:
    """Return an object, or Stripe's word that there is none."""
    if object_id not in kept:
        raise not_found(what, object_id)
    return kept[object_id]
