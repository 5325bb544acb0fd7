"""With how many examples the properties are tried; SEARCH_TIMES=… asks for as many times that."""

import os

SEARCH_TIMES = float(os.environ.get("SEARCH_TIMES") or 1)


def times(count: int) -> int:
    """Return how often to try what goes wrong only now and then, such as a race."""
    return max(10, round(count * SEARCH_TIMES))


# Of each property; of what would lose money; and of what goes wrong soon, or never.
EXAMPLES = round(100 * SEARCH_TIMES)
MANY_EXAMPLES = round(500 * SEARCH_TIMES)
FEW_EXAMPLES = round(30 * SEARCH_TIMES)
