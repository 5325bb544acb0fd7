"""Writes docs/reference.md from protos/: `python -m dev.reference [--check]`."""
