"""Look, then conclude."""
