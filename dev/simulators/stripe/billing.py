"""Subscriptions, and the invoices that renew them."""

from datetime import datetime
from typing import Any

from dev.simulators.stripe.account import PERIOD, Account
from dev.simulators.stripe.books import find
from dev.simulators.stripe.errors import not_found, refused
from dev.simulators.stripe.objects import Invoice, InvoicePayment, Subscription, new_id
from dev.simulators.stripe.shapes import Shape

ENDED = ("canceled", "incomplete_expired")


class Billing(Account):
    """What happens to subscriptions, by time, by their customer or in the dashboard."""

    def subscribe(
        self,
        price_id: str,
        *,
        customer_id: str = "",
        amount: int = 2_000,
        currency: str = "usd",
        metadata: dict[str, str] | None = None,
    ) -> str:
        """Make a subscription whose first period is paid; return its id."""
        now = self.now()
        subscription = Subscription(
            created=now,
            customer_id=customer_id or new_id("cus"),
            price_id=price_id,
            period_start=now,
            period_end=now + PERIOD,
            amount=amount,
            currency=currency,
            metadata=metadata or {},
        )
        self.books.subscriptions[subscription.id] = subscription
        invoice = self._new_invoice(subscription, "subscription_create")
        self.tell("customer.subscription.created", subscription)
        self._collect(invoice)
        return subscription.id

    def renew(self, subscription_id: str) -> str:
        """Begin the next period and take its money; return the invoice's id."""
        subscription = self._running(subscription_id)
        invoice = self._next_period(subscription)
        subscription.status = "active"
        self._collect(invoice)
        self.tell("customer.subscription.updated", subscription)
        return invoice.id

    def fail_renewal(self, subscription_id: str) -> str:
        """Begin the next period without getting its money; return the invoice's id."""
        subscription = self._running(subscription_id)
        invoice = self._next_period(subscription)
        self._attempt(invoice, succeeds=False)
        self.tell("invoice.payment_failed", invoice)
        subscription.status = "past_due"
        self.tell("customer.subscription.updated", subscription)
        return invoice.id

    def pay_invoice(self, invoice_id: str) -> None:
        """Pay what was owed. A subscription that was behind runs again."""
        invoice = self.invoice(invoice_id)
        if invoice.status != "open":
            raise refused("Invoice is already paid")
        self._collect(invoice)
        subscription = self.subscription(invoice.subscription_id)
        if subscription.status in ("past_due", "unpaid"):
            subscription.status = "active"
            self.tell("customer.subscription.updated", subscription)

    def give_up(self, subscription_id: str) -> None:
        """No attempt is left: the subscription is unpaid."""
        self._change(self._running(subscription_id), status="unpaid")

    def pause(self, subscription_id: str) -> None:
        """A trial ends without a way to pay."""
        subscription = self._running(subscription_id)
        subscription.status = "paused"
        self.tell("customer.subscription.paused", subscription)

    def resume(self, subscription_id: str) -> None:
        subscription = self.subscription(subscription_id)
        if subscription.status != "paused":
            raise refused("The subscription is not paused; an unpaid one must pay its invoice.")
        subscription.status = "active"
        self.tell("customer.subscription.resumed", subscription)

    def cancel(self, subscription_id: str) -> None:
        """End a subscription now. One that has ended is not found, as at Stripe."""
        subscription = self.subscription(subscription_id)
        if subscription.status in ENDED:
            raise not_found("subscription", subscription_id)
        subscription.status = "canceled"
        self.tell("customer.subscription.deleted", subscription)

    def set_cancel_at_period_end(self, subscription_id: str, *, ends: bool) -> None:
        self._change(self._running(subscription_id), cancel_at_period_end=ends)

    def end_period(self, subscription_id: str) -> None:
        """Let time come to the end of the period: a canceled one ends, another is renewed."""
        if self.subscription(subscription_id).cancel_at_period_end:
            self.cancel(subscription_id)
        else:
            self.renew(subscription_id)

    def subscription(self, subscription_id: str) -> Subscription:
        return find(self.books.subscriptions, subscription_id, "subscription")

    def invoice(self, invoice_id: str) -> Invoice:
        return find(self.books.invoices, invoice_id, "invoice")

    def _running(self, subscription_id: str) -> Subscription:
        subscription = self.subscription(subscription_id)
        if subscription.status in ENDED:
            raise refused("A canceled subscription can only update its cancellation_details.")
        return subscription

    def _change(self, subscription: Subscription, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(subscription, name, value)
        self.tell("customer.subscription.updated", subscription)

    def _next_period(self, subscription: Subscription) -> Invoice:
        start: datetime = subscription.period_end
        subscription.period_start, subscription.period_end = start, start + PERIOD
        return self._new_invoice(subscription, "subscription_cycle")

    def _new_invoice(self, subscription: Subscription, reason: str) -> Invoice:
        invoice = Invoice(
            created=self.now(),
            subscription_id=subscription.id,
            customer_id=subscription.customer_id,
            price_id=subscription.price_id,
            period_start=subscription.period_start,
            period_end=subscription.period_end,
            amount=subscription.amount,
            currency=subscription.currency,
            billing_reason=reason,
            subscription_metadata=subscription.metadata,
        )
        self.books.invoices[invoice.id] = invoice
        subscription.latest_invoice_id = invoice.id
        return invoice

    def _collect(self, invoice: Invoice) -> None:
        invoice.amount_paid = invoice.amount
        invoice.status = "paid"
        if invoice.amount:
            self._attempt(invoice, succeeds=True)
        self.tell("invoice.paid", invoice)
        self.tell("invoice.payment_succeeded", invoice)
        if invoice.amount:
            self._link(invoice)

    def _attempt(self, invoice: Invoice, *, succeeds: bool) -> None:
        if not invoice.intent_id:
            invoice.intent_id = self.new_intent(
                invoice.amount,
                invoice.currency,
                customer_id=invoice.customer_id,
                invoice_id=invoice.id,
            ).id
        invoice.attempt_count += 1
        invoice.charge_id = self.charge(self.intent(invoice.intent_id), succeeds=succeeds).id

    def _link(self, invoice: Invoice) -> None:
        payment = InvoicePayment(
            created=self.now(),
            invoice_id=invoice.id,
            intent_id=invoice.intent_id,
            amount=invoice.amount,
            currency=invoice.currency,
        )
        self.books.invoice_payments[payment.id] = payment
        # Before 2025-03 the invoice itself named its payment.
        if self.shape is Shape.ENDIVE:
            self.tell("invoice_payment.paid", payment)
