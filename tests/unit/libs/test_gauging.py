"""Gauges are of now, or they are not there."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from libs.database import DatabaseUnavailableError
from libs.gauging import Gauging, OverviewGauge, Sample


class Numbers:
    """What there is to count, as long as it can be counted."""

    def __init__(self) -> None:
        self.counts: dict[str, int] | None = {"old": 1}

    async def read(self) -> dict[str, int]:
        if self.counts is None:
            raise DatabaseUnavailableError
        return self.counts


GAUGES: list[OverviewGauge[dict[str, int]]] = [
    OverviewGauge(
        "tollgate_things",
        "Things, by age.",
        lambda counts: [Sample(count, (age,)) for age, count in counts.items()],
        ("age",),
    )
]


async def test_what_cannot_be_counted_any_more_is_not_shown() -> None:
    numbers, registry = Numbers(), CollectorRegistry()
    gauging = Gauging(numbers.read, GAUGES, registry)

    def shown(age: str) -> float | None:
        return registry.get_sample_value("tollgate_things", {"age": age})

    assert shown("old") is None
    # Who compares names finds it from the start.
    assert b"tollgate_things" in generate_latest(registry)
    await gauging.look()
    assert shown("old") == 1

    numbers.counts = None
    with pytest.raises(DatabaseUnavailableError):
        await gauging.look()
    assert shown("old") is None

    numbers.counts = {"new": 2}
    await gauging.look()
    assert (shown("old"), shown("new")) == (None, 2)
