"""What the person at the terminal is told instead of a traceback."""


class StackError(Exception):
    """Tollgate cannot run here as it is set up; the message says why and what to do."""
