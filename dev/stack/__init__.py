"""Runs all of Tollgate on this machine: `python -m dev.stack`, which is `make run`."""
