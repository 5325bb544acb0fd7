"""What running services show under /metrics."""

import aiohttp
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families


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
