"""Money that goes back, or may: refunds, disputes, and early warnings of fraud."""

from dev.simulators.stripe.account import Account
from dev.simulators.stripe.books import find
from dev.simulators.stripe.errors import refused
from dev.simulators.stripe.objects import Charge, Dispute, EarlyWarning, Refund
from dev.simulators.stripe.shapes import Shape


class Reversals(Account):
    """What the platform, a customer's bank or its card's issuer does to a payment."""

    def refund(self, intent_id: str, amount: int | None = None, status: str = "succeeded") -> str:
        """Give money back, all that is left unless told; return the refund's id."""
        charge = self._paid_charge(intent_id)
        left = charge.amount - charge.amount_refunded
        wanted = left if amount is None else amount
        if not 0 < wanted <= left:
            raise refused("Refund amount is greater than what is left.", "charge_already_refunded")
        refund = Refund(
            created=self.now(),
            intent_id=intent_id,
            charge_id=charge.id,
            amount=wanted,
            currency=charge.currency,
            status=status,
        )
        self.books.refunds[refund.id] = refund
        charge.amount_refunded += wanted
        self._tell_refund("refund.created", refund)
        self.tell("charge.refunded", charge)
        return refund.id

    def complete_refund(self, refund_id: str) -> None:
        """A refund that was under way arrives."""
        refund = find(self.books.refunds, refund_id, "refund")
        refund.status = "succeeded"
        self._tell_refund("refund.updated", refund)

    def fail_refund(self, refund_id: str) -> None:
        """The bank sends the money back: the refund never was."""
        refund = find(self.books.refunds, refund_id, "refund")
        refund.status = "failed"
        find(self.books.charges, refund.charge_id, "charge").amount_refunded -= refund.amount
        self._tell_refund("refund.failed", refund)
        self.tell("charge.refund.updated", refund)

    def open_dispute(
        self, intent_id: str, amount: int | None = None, *, is_inquiry: bool = False
    ) -> str:
        """A bank asks for the money, or only asks; return the dispute's id."""
        charge = self._paid_charge(intent_id)
        dispute = Dispute(
            created=self.now(),
            intent_id=intent_id,
            charge_id=charge.id,
            amount=charge.amount if amount is None else amount,
            currency=charge.currency,
            status="warning_needs_response" if is_inquiry else "needs_response",
        )
        self.books.disputes[dispute.id] = dispute
        self.tell("charge.dispute.created", dispute)
        return dispute.id

    def withdraw(self, dispute_id: str) -> None:
        """Stripe takes the money out, as it does when a dispute is opened."""
        dispute = self.dispute(dispute_id)
        dispute.moved.append(-dispute.amount)
        self.tell("charge.dispute.funds_withdrawn", dispute)

    def reinstate(self, dispute_id: str) -> None:
        """Stripe puts the money back."""
        dispute = self.dispute(dispute_id)
        dispute.moved.append(dispute.amount)
        self.tell("charge.dispute.funds_reinstated", dispute)

    def close_dispute(self, dispute_id: str, outcome: str) -> None:
        """End a dispute: won, lost or warning_closed. Money moves by verbs of its own."""
        dispute = self.dispute(dispute_id)
        dispute.status = outcome
        self.tell("charge.dispute.closed", dispute)

    def warn(self, intent_id: str, fraud_type: str = "unauthorized_use_of_card") -> str:
        """A card's issuer suspects fraud; return the warning's id."""
        charge = self._paid_charge(intent_id)
        warning = EarlyWarning(
            created=self.now(), intent_id=intent_id, charge_id=charge.id, fraud_type=fraud_type
        )
        self.books.warnings[warning.id] = warning
        self.tell("radar.early_fraud_warning.created", warning)
        return warning.id

    def end_warning(self, warning_id: str) -> None:
        """Nothing is left to be done about it."""
        warning = find(self.books.warnings, warning_id, "early_fraud_warning")
        warning.actionable = False
        self.tell("radar.early_fraud_warning.updated", warning)

    def dispute(self, dispute_id: str) -> Dispute:
        return find(self.books.disputes, dispute_id, "dispute")

    def _tell_refund(self, event_type: str, refund: Refund) -> None:
        """Accounts from before 2024-10 tell of charges only, unless a refund fails."""
        if self.shape is Shape.ENDIVE:
            self.tell(event_type, refund)

    def _paid_charge(self, intent_id: str) -> Charge:
        charge = self.books.charges.get(self.intent(intent_id).latest_charge_id)
        if charge is None or not charge.succeeded:
            raise refused("This payment has no successful charge.")
        return charge
