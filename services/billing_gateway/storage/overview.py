"""How many events and subscriptions stand so. Each count reads an index of its own."""

from libs.counting import begin_counting
from libs.database import Connection
from libs.levels import SubscriptionState
from services.billing_gateway.domain.overview import (
    UNSETTLED_STATES,
    EventCount,
    EventCounts,
    GatewayCounts,
)
from services.billing_gateway.domain.values import EventState, Provider

# Each side by an index of its own: what is settled is never read.
COUNT_UNSETTLED = """
WITH unsettled AS MATERIALIZED (
    SELECT provider, state, count(*) AS event_count, min(receive_time) AS oldest_receive_time
    FROM webhook_events
    WHERE state = 'RECEIVED' OR state IN ('PARKED', 'DEAD')
    GROUP BY provider, state
)
SELECT unsettled.*, (
    SELECT event_id FROM webhook_events
    WHERE provider = unsettled.provider AND receive_time = oldest_receive_time
      AND state = unsettled.state
    ORDER BY event_id
    LIMIT 1
) AS oldest_event_id
FROM unsettled
"""

READ_LAST_RECEIVED = """
SELECT each_provider AS provider, (
    SELECT max(receive_time) FROM webhook_events WHERE provider = each_provider
) AS last_receive_time
FROM unnest($1::text[]) AS each_provider
"""

COUNT_SUBSCRIPTIONS = "SELECT state, count(*) AS count FROM subscriptions GROUP BY state"


async def count_all(connection: Connection) -> GatewayCounts:
    """Count, in a transaction of its own, how all stands."""
    now = await begin_counting(connection)
    unsettled = {
        (Provider(row["provider"]), EventState(row["state"])): EventCount(
            row["event_count"], row["oldest_receive_time"], row["oldest_event_id"]
        )
        for row in await connection.fetch(COUNT_UNSETTLED)
    }
    last = {
        row["provider"]: row["last_receive_time"]
        for row in await connection.fetch(READ_LAST_RECEIVED, list(Provider))
    }
    return GatewayCounts(
        time=now,
        events={
            provider: EventCounts(
                {
                    state: unsettled.get((provider, state), EventCount())
                    for state in UNSETTLED_STATES
                },
                last[provider],
            )
            for provider in Provider
        },
        subscriptions=await _count_subscriptions(connection),
    )


async def _count_subscriptions(connection: Connection) -> dict[SubscriptionState | None, int]:
    found = {row["state"]: row["count"] for row in await connection.fetch(COUNT_SUBSCRIPTIONS)}
    return {state: found.get(state, 0) for state in (*SubscriptionState, None)}
