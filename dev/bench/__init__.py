"""Measures wallet and ingest beside what bounds them: `python -m dev.bench`, `make bench`."""
