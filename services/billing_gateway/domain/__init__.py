"""The gateway's rules: what providers tell, and how subscriptions and payments stand by it."""
