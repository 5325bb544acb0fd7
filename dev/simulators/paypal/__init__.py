"""A stand-in for PayPal: orders, subscriptions, disputes, and webhooks that it signs."""

from dev.simulators.paypal.simulator import PayPalSimulator

__all__ = ["PayPalSimulator"]
