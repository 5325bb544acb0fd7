"""One account at Stripe: what it keeps, and how it tells that something has happened."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from dev.simulators.stripe.books import Books, find
from dev.simulators.stripe.objects import Charge, Intent, StripeObject
from dev.simulators.stripe.shapes import Shape, write, write_event

PERIOD = timedelta(days=30)


class Account:
    """What every kind of verb stands on."""

    def __init__(
        self,
        books: Books,
        now: Callable[[], datetime],
        on_event: Callable[[dict[str, Any]], None],
        shape: Shape,
    ) -> None:
        self.books = books
        self.shape = shape
        self.now = now
        self._on_event = on_event

    def tell(self, event_type: str, found: StripeObject, **changes: Any) -> None:
        """Make an event about an object as it stands now."""
        told = write_event(event_type, write(found, self.shape) | changes, self.now(), self.shape)
        self.books.events.append(told)
        self._on_event(told)

    def new_intent(self, amount: int, currency: str, **known: Any) -> Intent:
        intent = Intent(created=self.now(), amount=amount, currency=currency, **known)
        self.books.intents[intent.id] = intent
        self.tell("payment_intent.created", intent)
        return intent

    def charge(self, intent: Intent, *, succeeds: bool) -> Charge:
        """Try to take a payment's money."""
        charge = Charge(
            created=self.now(),
            intent_id=intent.id,
            amount=intent.amount,
            currency=intent.currency,
            customer_id=intent.customer_id,
            invoice_id=intent.invoice_id,
            succeeded=succeeds,
        )
        self.books.charges[charge.id] = charge
        intent.latest_charge_id = charge.id
        intent.status = "succeeded" if succeeds else "requires_payment_method"
        outcome = "succeeded" if succeeds else "failed"
        self.tell(f"charge.{outcome}", charge)
        self.tell(f"payment_intent.{'succeeded' if succeeds else 'payment_failed'}", intent)
        return charge

    def intent(self, intent_id: str) -> Intent:
        return find(self.books.intents, intent_id, "payment_intent")
