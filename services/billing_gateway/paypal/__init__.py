"""PayPal: what knows PayPal and nothing else, behind services.billing_gateway.ports."""
