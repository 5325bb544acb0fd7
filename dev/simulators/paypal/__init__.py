"""A stand-in for PayPal: orders, subscriptions, disputes, and webhooks that it signs."""
