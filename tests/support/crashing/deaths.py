"""Which deaths are tried."""

import itertools
import random
from collections.abc import Iterator

from tests.support.crashing.wires import Death
from tests.support.searching import SEARCH_TIMES

# Of all deaths one in so many is tried, others each time. Odd, so that both sides of steps come by.
ONE_IN = round(25 / SEARCH_TIMES) | 1


def deaths() -> Iterator[Death]:
    """Return what is tried, step after step, for as long as somebody gets there."""
    for number in itertools.count(random.randrange(ONE_IN), ONE_IN):
        death = Death(1 + number // 2, is_step_taken=number % 2 == 1)
        print(death)  # noqa: T201 - shown with a failure
        yield death
