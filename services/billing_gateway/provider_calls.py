"""Counts what providers are asked, in one way for all of them."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter

from services.billing_gateway.domain.values import Provider
from services.billing_gateway.ports import ProviderError, ProviderRefusedError


class ProviderCalls:
    """Each call once, with all its retries."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "tollgate_provider_calls",
            "Calls to providers, by provider, call and outcome.",
            ["provider", "call", "outcome"],
            registry=registry,
        )

    @contextmanager
    def counted(self, provider: Provider, call: str) -> Iterator[None]:
        """Count what is asked here; `call` is one of few words, and never what was asked for."""
        try:
            yield
        except ProviderError as error:
            outcome = "refused" if isinstance(error, ProviderRefusedError) else "unavailable"
            self._calls.labels(provider, call, outcome).inc()
            raise
        self._calls.labels(provider, call, "answered").inc()
