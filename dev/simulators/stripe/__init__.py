"""A stand-in for Stripe that remembers, charges nobody, and signs what it tells."""
