"""What a gateway has counted of its calls to providers."""

from prometheus_client import CollectorRegistry


def calls_counted(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    """Return the counts by provider, call and outcome."""
    return {
        (each.labels["provider"], each.labels["call"], each.labels["outcome"]): each.value
        for metric in registry.collect()
        for each in metric.samples
        if each.name == "tollgate_provider_calls_total"
    }
