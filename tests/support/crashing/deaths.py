"""Which deaths are tried."""

import itertools
import random
from collections.abc import Awaitable, Callable

from tests.support.crashing.wires import Death, Wires
from tests.support.searching import SEARCH_TIMES

# Of all deaths one in so many is tried, others each time. Odd, so that both sides of steps come by.
ONE_IN = round(25 / SEARCH_TIMES) | 1


async def try_deaths(wires: Wires, is_reached: Callable[[Death], Awaitable[bool]]) -> None:
    """Try deaths of one story step after step, for as long as it gets there; one at least.

    Most stories have fewer deaths than ONE_IN stands for: most of them are killed at one step only
    in each run, at any with the same chance. SEARCH_TIMES=20 kills each at every step.
    """
    number = random.randrange(ONE_IN)
    while not await is_reached(_death(number)):
        # Now it is known how many steps there are. If there is none, this fails.
        number = random.randrange(2 * wires.step_count)
    for later in itertools.count(number + ONE_IN, ONE_IN):
        if not await is_reached(_death(later)):
            break


def _death(number: int) -> Death:
    death = Death(1 + number // 2, is_step_taken=number % 2 == 1)
    print(death)  # noqa: T201 - shown with a failure
    return death
