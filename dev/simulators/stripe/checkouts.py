"""Checkout sessions, and what their customers do on Stripe's page."""

from dev.simulators.stripe.billing import Billing
from dev.simulators.stripe.books import find
from dev.simulators.stripe.errors import refused
from dev.simulators.stripe.objects import Session, new_id


class Checkouts(Billing):
    """What customers do with a session, at once or later."""

    # Where the pages of sessions are.
    page_base = ""

    def open_session(self, session: Session) -> None:
        session.url = f"{self.page_base}/{session.id}"
        self.books.sessions[session.id] = session

    def pay(self, session_id: str) -> None:
        """Pay by card: the money is there at once."""
        session = self._complete(session_id)
        session.payment_status = "paid"
        if session.mode == "subscription":
            self._start_subscription(session)
        elif session.amount:
            self.charge(self.intent(self._start_intent(session)), succeeds=True)
        else:
            session.payment_status = "no_payment_required"
        self.tell("checkout.session.completed", session)

    def pay_later(self, session_id: str) -> None:
        """Pay from a bank account: the money comes in days, or does not."""
        session = self._complete(session_id)
        intent = self.intent(self._start_intent(session))
        intent.status = "processing"
        self.tell("payment_intent.processing", intent)
        self.tell("checkout.session.completed", session)

    def settle(self, session_id: str, *, succeeds: bool) -> None:
        """Let the bank answer."""
        session = self.session(session_id)
        if session.status != "complete" or session.payment_status != "unpaid":
            raise refused("This session waits for no bank.")
        self.charge(self.intent(session.intent_id), succeeds=succeeds)
        if succeeds:
            session.payment_status = "paid"
        outcome = "succeeded" if succeeds else "failed"
        self.tell(f"checkout.session.async_payment_{outcome}", session)

    def expire(self, session_id: str) -> None:
        """Nobody pays in time."""
        session = self.session(session_id)
        if session.status != "open":
            raise refused("Only open sessions can be expired.")
        session.status = "expired"
        self.tell("checkout.session.expired", session)

    def session(self, session_id: str) -> Session:
        return find(self.books.sessions, session_id, "checkout.session")

    def _complete(self, session_id: str) -> Session:
        session = self.session(session_id)
        if session.status != "open":
            raise refused(f"This session is {session.status}.")
        session.status = "complete"
        session.customer_id = session.customer_id or new_id("cus")
        return session

    def _start_intent(self, session: Session) -> str:
        intent = self.new_intent(
            session.amount,
            session.currency,
            customer_id=session.customer_id,
            metadata=session.made_metadata,
        )
        session.intent_id = intent.id
        return intent.id

    def _start_subscription(self, session: Session) -> None:
        session.subscription_id = self.subscribe(
            session.price_id,
            customer_id=session.customer_id,
            metadata=session.made_metadata,
        )
        session.invoice_id = self.subscription(session.subscription_id).latest_invoice_id
