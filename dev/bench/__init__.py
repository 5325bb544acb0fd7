"""Measures the wallet side by side with what bounds it: `python -m dev.bench`, `make bench`."""
