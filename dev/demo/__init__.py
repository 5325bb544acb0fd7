"""Plays Tollgate's story against what `make run` started: `python -m dev.demo`, `make demo`."""
