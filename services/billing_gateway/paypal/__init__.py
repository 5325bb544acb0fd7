"""PayPal: what knows PayPal and nothing else goes here, behind services.billing_gateway.ports."""
