"""The service's rpcs."""
