"""Which Tollgate this is."""

# As in pyproject.toml, which is no part of what runs.
VERSION = "0.1.0"
