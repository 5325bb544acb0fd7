"""What running services show under /metrics."""

from collections.abc import Mapping, Sequence
from functools import partial

import aiohttp
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.support.stack import CONSOLE, SERVICES, Stack
from tests.support.waiting import eventually
from tollgate.operator_console.v1 import operator_service_pb2
from tollgate.operator_console.v1.operator_service_pb2_grpc import OperatorServiceStub

# What a metric is called in queries, by its type.
SUFFIXES: Mapping[str, Sequence[str]] = {
    "counter": ["_total"],
    "gauge": [""],
    "histogram": ["_bucket", "_sum", "_count"],
}
NO_LABELS: frozenset[str] = frozenset()


class Shown:
    """The metrics of one service at one moment."""

    def __init__(self, text: str) -> None:
        self.families: list[Metric] = list(text_string_to_metric_families(text))

    def value(self, name: str, **labels: str) -> float | None:
        """Return the value of one sample; None if it is not shown."""
        for family in self.families:
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return None


async def scrape(address: str) -> Shown:
    """Ask a service for all that it shows."""
    async with aiohttp.ClientSession() as http, http.get(f"http://{address}/metrics") as answer:
        assert answer.status == 200
        return Shown(await answer.text())


async def exported_metrics(stack: Stack) -> dict[str, dict[str, frozenset[str] | None]]:
    """Start all services; return the labels of each metric that each of them shows, by name.

    As queries name them: a histogram's buckets, a counter's total. None: there is nothing to show
    of it yet, so that its labels are not known.
    """
    await stack.start(*SERVICES, CONSOLE)
    # It asks all others.
    console = OperatorServiceStub(stack.channel(CONSOLE))
    await console.GetOverview(operator_service_pb2.GetOverviewRequest())
    return {
        name: await eventually(partial(_named, stack, name), _is_read)
        for name in (*SERVICES, CONSOLE)
    }


async def _named(stack: Stack, service: str) -> dict[str, frozenset[str] | None]:
    shown = await scrape(stack.metrics_addresses[service])
    named: dict[str, frozenset[str] | None] = {}
    for family in shown.families:
        named |= dict.fromkeys(f"{family.name}{suffix}" for suffix in SUFFIXES[family.type])
        named |= {
            sample.name: frozenset(sample.labels)
            for sample in family.samples
            if not sample.name.endswith("_created")
        }
    return named


def _is_read(named: Mapping[str, object]) -> bool:
    """Tell whether the overview has been read, if the service has one to show."""
    return named.get("tollgate_long_transactions", NO_LABELS) is not None
