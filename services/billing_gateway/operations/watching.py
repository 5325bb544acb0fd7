"""Looks for what waits for a person: counts it, and says so when it waits too long."""

from prometheus_client import CollectorRegistry, Gauge

from libs.database import Database
from libs.logs import get_logger
from services.billing_gateway.domain.values import EventState, Provider
from services.billing_gateway.storage import components, events

# What settles by itself, or is settled already, is not waited for by anybody.
WATCHED_STATES = (EventState.RECEIVED, EventState.PARKED, EventState.DEAD)
NAMED_AT_MOST = 20


class Watching:
    """The gateway's gauges and alarms."""

    def __init__(
        self, database: Database, registry: CollectorRegistry, parked_alarm_seconds: float
    ) -> None:
        self._database = database
        self._parked_alarm_seconds = parked_alarm_seconds
        self._counts = Gauge(
            "tollgate_webhook_events",
            "Events that are not settled, by provider and state.",
            ["provider", "state"],
            registry=registry,
        )
        self._ages = Gauge(
            "tollgate_oldest_webhook_event_seconds",
            "For how long the oldest of them has been there; 0 if there is none.",
            ["provider", "state"],
            registry=registry,
        )

    async def watch(self) -> bool:
        """Look once; there is no more to do then."""
        await self._count()
        parked = await self._database.run(
            events.list_parked, self._parked_alarm_seconds, NAMED_AT_MOST
        )
        if parked:
            get_logger().error("events_parked_too_long", event_ids=parked)
        disputes = await self._database.run(components.list_disputes_without_money, NAMED_AT_MOST)
        if disputes:
            get_logger().error("dispute_without_its_money", dispute_ids=disputes)
        return False

    async def _count(self) -> None:
        waiting = {
            (each.provider, each.state): each
            for each in await self._database.run(events.count_waiting)
        }
        for provider in Provider:
            for state in WATCHED_STATES:
                found = waiting.get((provider, state))
                self._counts.labels(provider, state).set(found.count if found else 0)
                self._ages.labels(provider, state).set(found.oldest_seconds if found else 0)
