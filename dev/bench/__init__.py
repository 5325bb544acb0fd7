"""Measures the services beside what bounds them: `python -m dev.bench`, `make bench`."""
