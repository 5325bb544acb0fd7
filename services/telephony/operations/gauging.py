"""Counts what stands otherwise than it should, for operators and their alarms."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge

from libs.database import Database
from services.telephony.storage import gauges
from services.telephony.storage.gauges import Count


class Gauging:
    """The service's gauges of subaccounts and of intents to have one made."""

    def __init__(self, database: Database, registry: CollectorRegistry) -> None:
        self._database = database
        self._subaccounts = Gauges(
            "subaccount",
            "Subaccounts that are not as wanted (drifted), or whose last call failed (failing), "
            "or whose calls cannot be ended after a suspension (aftermath_failing).",
            registry,
        )
        self._provisions = Gauges(
            "provision",
            "Intents to have a subaccount made that have none yet (open), or whose last attempt "
            "failed (failing).",
            registry,
        )

    async def look(self) -> bool:
        """Look once; there is no more to do then."""
        self._subaccounts.set(await self._database.run(gauges.count_subaccounts))
        self._provisions.set(await self._database.run(gauges.count_provisions))
        return False


class Gauges:
    """How many there are of each standing, and for how long the oldest has been so."""

    def __init__(self, noun: str, documentation: str, registry: CollectorRegistry) -> None:
        self._counts = Gauge(f"tollgate_{noun}s", documentation, ["standing"], registry=registry)
        self._ages = Gauge(
            f"tollgate_oldest_{noun}_seconds",
            "For how long the oldest of them has been so; 0 if there is none.",
            ["standing"],
            registry=registry,
        )

    def set(self, found: Mapping[str, Count]) -> None:
        """Show what was found."""
        for standing, count in found.items():
            self._counts.labels(standing).set(count.count)
            self._ages.labels(standing).set(count.oldest_seconds)
