"""Tells what a given environment lacks before customers' money goes through it."""
