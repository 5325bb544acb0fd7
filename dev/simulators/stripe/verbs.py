"""All verbs of an account, in Python and by name."""

from dev.simulators.stripe.checkouts import Checkouts
from dev.simulators.stripe.reversals import Reversals

VERBS = (
    "subscribe",
    "renew",
    "fail_renewal",
    "pay_invoice",
    "give_up",
    "pause",
    "resume",
    "cancel",
    "set_cancel_at_period_end",
    "end_period",
    "pay",
    "pay_later",
    "settle",
    "expire",
    "refund",
    "complete_refund",
    "fail_refund",
    "open_dispute",
    "withdraw",
    "reinstate",
    "close_dispute",
    "warn",
    "end_warning",
)


class StripeAccount(Checkouts, Reversals):
    """An account, and everything that may happen in it."""
