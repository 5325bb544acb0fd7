"""A seller's account at PayPal: what its customers, PayPal and the seller do, and what that tells.

Times are whole seconds, as PayPal writes them on its objects.
"""

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeVar

from dev.simulators.given import Address
from dev.simulators.paypal import objects
from dev.simulators.paypal.asked import Amount, Id, PayerId
from dev.simulators.paypal.errors import not_found, not_now
from dev.simulators.paypal.objects import (
    PERIOD,
    Dispute,
    Failure,
    JsonObject,
    Order,
    Payment,
    Refund,
    Subscription,
)

# What a plan costs that nobody gave a price.
PRICE = ("20.00", "USD")
ENDED = ("CANCELLED", "EXPIRED")

# What may happen at PayPal, by name.
VERBS = (
    "approve_order",
    "revoke_approval",
    "decline_next_capture",
    "settle_capture",
    "create_subscription",
    "approve_subscription",
    "renew",
    "fail_payment",
    "update",
    "suspend",
    "reactivate",
    "cancel",
    "expire",
    "refund",
    "fail_refund",
    "reverse",
    "open_dispute",
    "update_dispute",
    "resolve_dispute",
)

ValueT = TypeVar("ValueT")


@dataclass
class Books:
    """Everything that the account remembers."""

    orders: dict[str, Order] = field(default_factory=dict)
    payments: dict[str, Payment] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    disputes: dict[str, Dispute] = field(default_factory=dict)


class Account:
    """Changes the books and tells of it: event type, kind of object, and the object then."""

    def __init__(
        self,
        books: Books,
        now: Callable[[], datetime],
        tell: Callable[[str, str, JsonObject], None],
        prices: Mapping[str, tuple[str, str]],
    ) -> None:
        self.books = books
        # What becomes of the next captures, instead of COMPLETED.
        self.next_captures: list[Literal["DECLINED", "PENDING"]] = []
        self._now = now
        self._tell = tell
        self._prices = prices

    def forget(self) -> None:
        """Nothing has ever happened."""
        for kept in fields(self.books):
            getattr(self.books, kept.name).clear()
        self.next_captures.clear()

    def create_order(
        self,
        amount: str,
        currency: str,
        *,
        custom_id: str | None = None,
        invoice_id: str | None = None,
        return_url: str | None = None,
        cancel_url: str | None = None,
    ) -> Order:
        order = Order(new_id(), amount, currency, self._time(), custom_id, invoice_id)
        order.return_url, order.cancel_url = return_url or "", cancel_url or ""
        self.books.orders[order.order_id] = order
        return order

    def approve_order(self, order_id: str) -> None:
        order = self.order(order_id)
        if order.status not in ("CREATED", "PAYER_ACTION_REQUIRED", "APPROVED"):
            raise not_now("ORDER_ALREADY_COMPLETED")
        order.status = "APPROVED"
        self._tell("CHECKOUT.ORDER.APPROVED", "checkout-order", self.order_json(order))

    def revoke_approval(self, order_id: str) -> None:
        order = self.order(order_id)
        order.status = "VOIDED"
        resource = {"order_id": order_id, "purchase_units": [{"custom_id": order.custom_id}]}
        self._tell("CHECKOUT.PAYMENT-APPROVAL.REVERSED", "payment", resource)

    def capture_order(self, order_id: str) -> Order:
        order = self.order(order_id)
        if order.status == "COMPLETED":
            raise not_now("ORDER_ALREADY_CAPTURED")
        if order.status != "APPROVED":
            raise not_now("ORDER_NOT_APPROVED")
        status = self.next_captures.pop(0) if self.next_captures else "COMPLETED"
        capture = self._pay("capture", order.amount, order.currency, order_id, order.custom_id)
        capture.status = status
        order.capture_ids.append(capture.payment_id)
        order.status = "PAYER_ACTION_REQUIRED" if status == "DECLINED" else "COMPLETED"
        self._tell(f"PAYMENT.CAPTURE.{status}", "capture", objects.capture_json(capture))
        if status == "DECLINED":
            raise not_now("INSTRUMENT_DECLINED")
        return order

    def decline_next_capture(self) -> None:
        """The customer's means of payment will not do, once."""
        self.next_captures.append("DECLINED")

    def settle_capture(self, capture_id: str, *, completed: bool) -> None:
        capture = self.payment(capture_id)
        capture.status = "COMPLETED" if completed else "DECLINED"
        capture.update_time = self._time()
        kind = "COMPLETED" if completed else "DENIED"
        self._tell(f"PAYMENT.CAPTURE.{kind}", "capture", objects.capture_json(capture))

    def create_subscription(
        self,
        plan_id: Id,
        *,
        custom_id: Id | None = None,
        payer_id: PayerId | None = None,
        return_url: Address | None = None,
        cancel_url: Address | None = None,
    ) -> Subscription:
        """Without a payer's id, its payer is that of all that has its custom id's owner."""
        amount, currency = self._prices.get(plan_id, PRICE)
        time = self._time()
        subscription_id = f"I-{new_id()[:12]}"
        subscription = Subscription(
            subscription_id, plan_id, amount, currency, time, time, time, custom_id
        )
        subscription.payer_id = payer_id or subscription.payer_id
        subscription.return_url, subscription.cancel_url = return_url or "", cancel_url or ""
        self.books.subscriptions[subscription_id] = subscription
        self._tell_subscription(subscription, "CREATED")
        return subscription

    def approve_subscription(self, subscription_id: str) -> str:
        """Returns the id of the first sale."""
        subscription = self.subscription(subscription_id)
        if subscription.status != "APPROVAL_PENDING":
            raise not_now("SUBSCRIPTION_STATUS_INVALID")
        self._set_status(subscription, "ACTIVE")
        sale = self._collect(subscription)
        self._tell_subscription(subscription, "ACTIVATED")
        self._tell("PAYMENT.SALE.COMPLETED", "sale", objects.sale_json(sale))
        return sale.payment_id

    def renew(self, subscription_id: str) -> str:
        """The next payment is collected. Of that only the sale tells. Returns its id."""
        sale = self._collect(self._active(subscription_id))
        self._tell("PAYMENT.SALE.COMPLETED", "sale", objects.sale_json(sale))
        return sale.payment_id

    def fail_payment(self, subscription_id: str) -> None:
        subscription = self._active(subscription_id)
        subscription.update_time = self._time()
        subscription.last_failure = Failure(subscription.amount, subscription.update_time)
        subscription.failed_count += 1
        self._tell_subscription(subscription, "PAYMENT.FAILED")

    def update(self, subscription_id: str, plan_id: Id) -> None:
        subscription = self.subscription(subscription_id)
        subscription.plan_id, subscription.update_time = plan_id, self._time()
        subscription.amount, subscription.currency = self._prices.get(plan_id, PRICE)
        self._tell_subscription(subscription, "UPDATED")

    def suspend(self, subscription_id: str) -> None:
        self._change(self._active(subscription_id), "SUSPENDED", "SUSPENDED")

    def reactivate(self, subscription_id: str) -> None:
        subscription = self.subscription(subscription_id)
        if subscription.status != "SUSPENDED":
            raise not_now("SUBSCRIPTION_STATUS_INVALID")
        self._change(subscription, "ACTIVE", "RE-ACTIVATED")

    def cancel(self, subscription_id: str) -> None:
        self._end(subscription_id, "CANCELLED")

    def expire(self, subscription_id: str) -> None:
        self._end(subscription_id, "EXPIRED")

    def refund(self, payment_id: str, amount: Amount | None = None) -> str:
        """Returns the refund's id."""
        payment = self.payment(payment_id)
        refund = self._give_back(payment, amount, reversal=False)
        kind = payment.kind.upper()
        told = objects.refund_json(refund, payment.kind)
        self._tell(f"PAYMENT.{kind}.REFUNDED", "refund", told)
        return refund.refund_id

    def fail_refund(self, refund_id: str) -> None:
        refund = self.a_refund(refund_id)
        refund.status, refund.update_time = "FAILED", self._time()
        payment = self.payment(refund.payment_id)
        self._set_refunded(payment)
        told = objects.refund_json(refund, payment.kind)
        self._tell("PAYMENT.REFUND.FAILED", "refund", told)

    def reverse(self, payment_id: str, amount: Amount | None = None) -> str:
        """PayPal takes money back. Returns the reversal's id."""
        payment = self.payment(payment_id)
        reversal = self._give_back(payment, amount, reversal=True)
        if payment.kind == "sale":
            told = objects.reversed_sale_json(reversal)
            self._tell("PAYMENT.SALE.REVERSED", "sale", told)
        else:
            told = objects.refund_json(reversal, "capture")
            self._tell("PAYMENT.CAPTURE.REVERSED", "refund", told)
        return reversal.refund_id

    def open_dispute(
        self,
        payment_id: str,
        amount: Amount | None = None,
        reason: str = "MERCHANDISE_OR_SERVICE_NOT_RECEIVED",
    ) -> str:
        """Returns the dispute's id."""
        payment, time = self.payment(payment_id), self._time()
        asked = amount or payment.amount
        dispute_id = f"PP-D-{new_id()[:6]}"
        dispute = Dispute(dispute_id, payment_id, asked, payment.currency, reason, time, time)
        self.books.disputes[dispute_id] = dispute
        self._tell("CUSTOMER.DISPUTE.CREATED", "dispute", objects.dispute_json(dispute))
        return dispute_id

    def update_dispute(self, dispute_id: str) -> None:
        dispute = self._dispute(dispute_id)
        dispute.update_time = self._time()
        self._tell("CUSTOMER.DISPUTE.UPDATED", "dispute", objects.dispute_json(dispute))

    def resolve_dispute(self, dispute_id: str, outcome: str) -> None:
        """The money of a dispute that is lost is taken by `reverse` or `refund`."""
        dispute = self._dispute(dispute_id)
        dispute.outcome, dispute.update_time = outcome, self._time()
        self._tell("CUSTOMER.DISPUTE.RESOLVED", "dispute", objects.dispute_json(dispute))

    def order(self, order_id: str) -> Order:
        return _find(self.books.orders, order_id)

    def payment(self, payment_id: str) -> Payment:
        return _find(self.books.payments, payment_id)

    def a_refund(self, refund_id: str) -> Refund:
        return _find(self.books.refunds, refund_id)

    def subscription(self, subscription_id: str) -> Subscription:
        return _find(self.books.subscriptions, subscription_id)

    def order_json(self, order: Order) -> JsonObject:
        captures = [self.payment(each) for each in order.capture_ids]
        refunds = [self.a_refund(each) for capture in captures for each in capture.refund_ids]
        return objects.order_json(order, captures, refunds)

    def _time(self) -> datetime:
        return self._now().replace(microsecond=0)

    def _active(self, subscription_id: str) -> Subscription:
        subscription = self.subscription(subscription_id)
        if subscription.status != "ACTIVE":
            raise not_now("SUBSCRIPTION_STATUS_INVALID")
        return subscription

    def _end(self, subscription_id: str, status: str) -> None:
        subscription = self.subscription(subscription_id)
        if subscription.status in ENDED:
            raise not_now("SUBSCRIPTION_STATUS_INVALID")
        self._change(subscription, status, status)

    def _change(self, subscription: Subscription, status: str, kind: str) -> None:
        self._set_status(subscription, status)
        self._tell_subscription(subscription, kind)

    def _set_status(self, subscription: Subscription, status: str) -> None:
        subscription.status = status
        subscription.status_update_time = subscription.update_time = self._time()

    def _tell_subscription(self, subscription: Subscription, kind: str) -> None:
        told = objects.subscription_json(subscription)
        self._tell(f"BILLING.SUBSCRIPTION.{kind}", "subscription", told)

    def _collect(self, subscription: Subscription) -> Payment:
        sale = self._pay(
            "sale",
            subscription.amount,
            subscription.currency,
            subscription.subscription_id,
            subscription.custom_id,
        )
        due = subscription.next_billing_time or sale.create_time
        subscription.next_billing_time = due + PERIOD
        subscription.last_payment_time = subscription.update_time = sale.create_time
        subscription.failed_count = 0
        return sale

    def _pay(
        self,
        kind: Literal["capture", "sale"],
        amount: str,
        currency: str,
        parent_id: str,
        custom_id: str | None,
    ) -> Payment:
        time = self._time()
        payment = Payment(new_id(), kind, amount, currency, time, time, parent_id, custom_id)
        self.books.payments[payment.payment_id] = payment
        return payment

    def _give_back(self, payment: Payment, amount: str | None, *, reversal: bool) -> Refund:
        left = Decimal(payment.amount) - self._refunded(payment)
        wanted = left if amount is None else Decimal(amount)
        if not 0 < wanted <= left:
            raise not_now("REFUND_AMOUNT_EXCEEDED")
        time, text = self._time(), str(wanted)
        refund = Refund(new_id(), payment.payment_id, text, payment.currency, time, time, reversal)
        self.books.refunds[refund.refund_id] = refund
        payment.refund_ids.append(refund.refund_id)
        self._set_refunded(payment)
        return refund

    def _set_refunded(self, payment: Payment) -> None:
        refunded = self._refunded(payment)
        whole = refunded == Decimal(payment.amount)
        rest = "PARTIALLY_REFUNDED" if refunded else "COMPLETED"
        payment.status = "REFUNDED" if whole else rest
        payment.update_time = self._time()

    def _refunded(self, payment: Payment) -> Decimal:
        refunds = [self.a_refund(each) for each in payment.refund_ids]
        return sum((Decimal(each.amount) for each in refunds if each.status != "FAILED"), Decimal())

    def _dispute(self, dispute_id: str) -> Dispute:
        return _find(self.books.disputes, dispute_id)


def _find(kept: Mapping[str, ValueT], object_id: str) -> ValueT:
    if object_id not in kept:
        raise not_found()
    return kept[object_id]


def new_id() -> str:
    """As PayPal's ids look: 17 capitals and digits."""
    return "".join(secrets.choice(string.ascii_uppercase + string.digits) for _ in range(17))
