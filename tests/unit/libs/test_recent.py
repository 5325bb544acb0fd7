"""What has happened of late, and not before."""

import tracemalloc
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from libs.recent import WINDOW_SECONDS, RecentGrowth


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_what_has_happened_since_the_start_is_recent_for_ten_minutes() -> None:
    clock = Clock()
    recent = RecentGrowth(clock)
    assert recent.look(3) == 3
    clock.seconds += WINDOW_SECONDS - 1
    assert recent.look(5) == 5
    clock.seconds += 1
    assert recent.look(5) == 2
    clock.seconds += WINDOW_SECONDS - 1
    assert recent.look(5) == 0


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), min_size=1, max_size=80))
def test_it_is_what_came_within_the_window_give_or_take_a_look(
    looks: list[tuple[int, int]],
) -> None:
    clock = Clock()
    recent, count, happened = RecentGrowth(clock), 0, [(clock.seconds, 0)]
    for seconds, more in looks:
        clock.seconds += seconds
        count += more
        happened.append((clock.seconds, more))
        found = recent.look(count)
    slack = max(later - earlier for (earlier, _), (later, _) in pairwise(happened))
    now = clock.seconds
    least = sum(more for time, more in happened if time > now - WINDOW_SECONDS)
    most = sum(more for time, more in happened if time > now - WINDOW_SECONDS - slack)
    assert least <= found <= most


def test_who_looks_all_the_time_fills_no_memory() -> None:
    clock = Clock()
    recent = RecentGrowth(clock)
    tracemalloc.start()
    for count in range(50_000):
        clock.seconds += 0.001
        assert recent.look(count) == count
    assert tracemalloc.get_traced_memory()[0] < 100_000
    tracemalloc.stop()
