"""A stand-in for Stripe that remembers, charges nobody, and signs what it tells."""

from dev.simulators.stripe.simulator import StripeSimulator

__all__ = ["StripeSimulator"]
