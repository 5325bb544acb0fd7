"""Stripe: what knows Stripe and nothing else, behind services.billing_gateway.ports."""
