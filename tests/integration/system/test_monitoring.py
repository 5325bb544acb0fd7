"""What the alerts and the dashboard ask for is what running services show, by these labels."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

from tests.support.metrics import exported_metrics, scrape
from tests.support.monitoring import (
    TARGET_LABELS,
    Used,
    grouping_labels,
    panel_queries,
    read_alerts,
    used_metrics,
)
from tests.support.stack import Stack

QUERIES = [*(alert.expr for alert in read_alerts().values()), *panel_queries()]
# Services of tests speak in the clear, and nobody has called a provider yet.
SHOWN_ELSEWHERE = {
    "tollgate_certificate_expire_time_seconds": frozenset[str](),
    "tollgate_provider_calls_total": frozenset({"provider", "call", "outcome"}),
    "tollgate_twilio_calls_total": frozenset({"call", "outcome"}),
}
# Reasons are shown when there was one.
ANY_VALUE = {"tollgate_rpcs_total", *SHOWN_ELSEWHERE}


async def test_all_that_is_asked_for_is_shown(stopped_stack: Stack) -> None:
    shown: dict[str, frozenset[str]] = dict(SHOWN_ELSEWHERE)
    for metrics in (await exported_metrics(stopped_stack)).values():
        shown |= {name: labels for name, labels in metrics.items() if labels is not None}
    values = {value async for value in shown_values(stopped_stack)}
    assert len(QUERIES) > len(read_alerts())
    for query in QUERIES:
        used = list(used_metrics(query))
        assert used or "up{" in query or "(up)" in query, query
        assert {each.name for each in used} <= shown.keys(), query
        assert labels_of(query, used) <= known_labels(used, shown), query
        assert set(asked_values(used)) <= values, query


def labels_of(query: str, used: Iterable[Used]) -> set[str]:
    """Return the labels that a query names."""
    return grouping_labels(query) | {label for each in used for label, _, _ in each.matchers}


def known_labels(used: Iterable[Used], shown: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return the labels of all metrics of a query."""
    return TARGET_LABELS.union(*(shown[each.name] for each in used))


def asked_values(used: Iterable[Used]) -> Iterator[tuple[str, str, str]]:
    """Yield the values that labels must have: one that there is not is never found."""
    for each in used:
        for label, operator, value in each.matchers:
            if operator == "=" and each.name not in ANY_VALUE:
                yield each.name, label, value


async def shown_values(stack: Stack) -> AsyncIterator[tuple[str, str, str]]:
    """Yield each metric's labels and their values, as running services show them."""
    for address in stack.metrics_addresses.values():
        for family in (await scrape(address)).families:
            for sample in family.samples:
                for label, value in sample.labels.items():
                    yield sample.name, label, value
